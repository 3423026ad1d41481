/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/format.h"
#include "log/index.h"

/*
 * The segments of a log, as files of its folder: SERIAL.log, in ten digits. And a segment that is
 * read, record by record, forwards and backwards, also while the daemon writes to it. Memory: a
 * window of 128K, or of the largest record.
 */

#define SEGMENT_NAME_MAX 32

void segment_name(uint64_t serial, char name[static SEGMENT_NAME_MAX]);

struct segment_file {
    uint64_t serial;
    uint64_t size;        /* of the file, bytes */
    uint64_t allocated;   /* on the disk */
    uint64_t modified_us; /* when it was last written to; CLOCK_REALTIME */
};

struct segment_list {
    struct segment_file *items; /* by serial */
    size_t n;
};

/* Lists the segments in the folder. 0 or a negative errno. To be freed with
 * segment_list_free(). */
int segment_list_read(int dir_fd, struct segment_list *ret);
void segment_list_free(struct segment_list *list);

/* Whether a segment that gave this error when it was opened or read is damaged: by its head, or
 * because the disk cannot read it. Other errors tell nothing about the segment. */
static inline bool segment_is_damaged(int error)
{
    return error == -EBADMSG || error == -EPROTO || error == -EIO;
}

struct segment {
    int fd;
    struct log_head head;
    uint64_t serial;
    uint64_t size;           /* of the file, bytes */
    struct log_index *index; /* NULL: it has none */
    uint64_t offset;         /* of the next record */

    /* The part of the file that is in memory. */
    uint8_t *window;
    size_t capacity, n;
    uint64_t at;

    /* Written by the owner: called with each part of the file that is read, at most 128K or a record.
     * NULL: nobody. */
    void (*on_read)(void *userdata);
    void *userdata;
};

/* Opens a segment, and stands before its first record. 0; -ENOENT: it was removed; -EBADMSG or
 * -EPROTO for its head, see log_head_get(); or another negative errno. */
int segment_open(struct segment *s, int dir_fd, uint64_t serial);
void segment_close(struct segment *s);

/* The next record. 1, with *ret, valid until the next call. 0: no record follows, so far. -EBADMSG:
 * what follows is not a sound record. It may be being written. Or another negative errno. */
int segment_next(struct segment *s, struct log_item *ret);

/* The record before. 1; 0: there is none; -EBADMSG: what comes before is not a sound record. */
int segment_previous(struct segment *s, struct log_item *ret);

/* After -EBADMSG: goes to the next sound record. 1; 0: no sound record follows, and the offset stays
 * where it is; or a negative errno. after: the number of the last record known before, 0 for
 * none. */
int segment_skip(struct segment *s, uint64_t after);

/* After -EBADMSG of segment_previous(): goes to the end of the sound record before. 1; 0: there is
 * none, and the offset stays; or a negative errno. */
int segment_skip_back(struct segment *s);

/* Where no sound record is, but the one of that number should be: 1: a later record tells that it
 * was synced, so it is damaged. 0: none does; it was never written completely, or not yet. Or a
 * negative errno. The offset stays. */
int segment_was_synced(struct segment *s, uint64_t number);

/* Whether no record can follow: the offset is behind the last one. False where the segment has no
 * index. */
static inline bool segment_is_over(const struct segment *s)
{
    return s->index && s->offset >= s->index->end;
}

/* Where the last byte ends, from the offset on, that is not zero; the offset itself: all are zeros. 0
 * or a negative errno. */
int segment_written_end(struct segment *s, uint64_t *ret);

/* Goes to the end of the records, to where segment_next() would find nothing more that is sound. 0
 * or a negative errno. */
int segment_seek_end(struct segment *s);

/* Goes to a mark of the index: the last one at or before the record of that number. */
void segment_seek_number(struct segment *s, uint64_t number);

/* Drops what is in memory: the daemon may have written since, or completed the segment. 0 or a
 * negative errno. */
int segment_refresh(struct segment *s);
