/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "log/store.h"

/*
 * What a start does with the log that it finds. Complete segments are left as they are. One that the
 * last run left incomplete is read, and completed: it ends before the first record that is not
 * sound, unless a later one tells that this one had been synced. Then the disk has damaged it, and
 * it stays.
 */

struct recovery {
    uint64_t next_serial, next_number; /* of the segment and of the record that come next */
    uint64_t n_recovered;              /* records of segments that were incomplete */
    uint64_t n_cut;       /* bytes that were cut off there: records that nobody was answered */
    uint64_t n_damaged;   /* records that had been synced, and cannot be read */
    uint64_t bad_segment; /* serial of one whose head cannot be read; 0: there is none */
};

/* Reads the log, completes it, and adds its segments to the store. 0 or a negative errno. */
int recover(struct store *store, struct recovery *ret);
