/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "log/segment.h"

/*
 * Reads the records of a log in order, from segment to segment, while the daemon writes and removes
 * segments. It reads only synced records: a record beyond them may still change.
 */

struct mirror_cursor {
    int dir_fd;      /* the log's folder; borrowed */
    uint64_t next;   /* number of the next record; 0: of the oldest one in the log */
    uint64_t serial; /* of the segment, or of the last one that was open; 0: none yet */
    bool oldest;     /* the segment was the log's oldest one when it was opened */
    bool opened;
    struct segment segment;
};

enum mirror_found {
    MIRROR_END,    /* all synced records have been read */
    MIRROR_RECORD, /* *ret_item is record number `next` */
    MIRROR_GAP,    /* record number `next` is not there: *ret_gap has the details */
};

struct mirror_gap {
    uint64_t end; /* number of the first record that is there again, or synced + 1 */
    bool removed; /* retention removed the records; otherwise they cannot be read */
};

void mirror_cursor_init(struct mirror_cursor *c, int dir_fd, uint64_t next);
void mirror_cursor_deinit(struct mirror_cursor *c);

/* Looks at record number `next`. Returns what it found, or a negative errno. The item is valid until
 * the next call. synced: number of the last synced record. */
int mirror_cursor_look(struct mirror_cursor *c, uint64_t synced, struct log_item *ret_item,
                       struct mirror_gap *ret_gap);

/* Moves past the record, or past the gap, that was just found. */
void mirror_cursor_pass(struct mirror_cursor *c, const struct log_item *item);
void mirror_cursor_skip(struct mirror_cursor *c, const struct mirror_gap *gap);
