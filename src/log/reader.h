/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "log/segment.h"

/*
 * Reads a log from segment to segment, in both directions, also while the daemon writes to it and
 * removes old segments. It needs the memory of one segment and of the list of segments.
 *
 * A reader is always between two records. It knows the number that should come next, so it notices
 * each record that is missing, and reports it. Where the disk cannot read a segment, the reader goes
 * on with the next one.
 *
 * The segment with the highest serial may be incomplete. Then a record that is not sound is taken
 * for the end, unless a later record tells that it had been synced. So the record that is being
 * written, or that a killed daemon left unfinished, is not there yet. Elsewhere it is damage: a
 * segment is begun only after all before it is synced.
 */

enum gap_kind {
    GAP_DAMAGED, /* records of the segment are not sound, or it has been cut */
    GAP_UNREADABLE, /* the disk cannot read the segment or the rest of it, or its head is damaged, or of
                     * an unknown version */
    GAP_MISSING, /* there is no such segment */
    GAP_REMOVED, /* retention removed the segments before they were read: no damage */
};

struct gap {
    enum gap_kind kind;
    uint64_t serial, last_serial; /* the segments */
    uint64_t from, to;            /* numbers of the records; 0: not known */
    int error;                    /* GAP_UNREADABLE: -EIO: the disk cannot read it; else the head */
};

typedef void (*reader_gap_fn)(void *userdata, const struct gap *gap);

/* Which records are wanted. Segments, and parts of them, are passed over where an index tells that
 * they have none; what is passed over is not checked. Other records are still returned. */
struct reader_scope {
    uint64_t since_us, until_us; /* both included; 0 and UINT64_MAX: any time */
    bool by_connection;          /* only records of this connection of this run */
    uint64_t run, connection;
};

struct reader {
    int dir_fd;
    struct segment_list list;
    struct segment segment; /* where it is open */
    bool open;
    uint64_t serial; /* of the current segment; 0: none yet */
    uint64_t number; /* of the record that should come next; 0: not known */
    struct reader_scope scope;
    struct gap pending; /* why the next record may not have that number; serial 0: no reason yet */
    uint64_t reread;    /* the offset that was read once more, to be sure */

    /* Written by the owner. */
    reader_gap_fn on_gap; /* NULL: gaps are not reported */
    void *userdata;
    bool live; /* follows a daemon that writes: what is not sound at the end is being written */
};

#define READER_SCOPE_ALL ((struct reader_scope){ .until_us = UINT64_MAX })

/* Opens the folder, and stands before its oldest record. 0; -ENODATA: it is no log; or another
 * negative errno. reader_close() follows in all cases. */
int reader_open(struct reader *r, const char *directory, const struct reader_scope *scope);
void reader_close(struct reader *r);

/* Goes behind the newest record. 0 or a negative errno. */
int reader_seek_end(struct reader *r);

/* The next record. 1, with *ret, valid until the next call; 0: none follows, so far; or a negative
 * errno. */
int reader_next(struct reader *r, struct log_item *ret);

/* The record before, likewise. */
int reader_previous(struct reader *r, struct log_item *ret);

/* After reader_next() returned 0: looks again at the folder and at the segment. 0 or a negative
 * errno. */
int reader_refresh(struct reader *r);

/* Whether the current segment is the one that the daemon writes to, or would write to. */
bool reader_is_growing(const struct reader *r);
