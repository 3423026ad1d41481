/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "log/store.h"

/*
 * What a start does with the log that it finds. Complete segments are left as they are. One that the
 * last run left incomplete is read, and completed: it ends before the first record that is not
 * sound, unless a later one tells that this one had been synced. Then the disk has damaged it, and
 * it stays.
 *
 * A segment that cannot be read stays as well. If it is the last one, and the disk cannot read it,
 * the log is not recovered: a guess could take the place of records that were answered.
 */

struct recovery {
    uint64_t next_serial, next_number; /* of the segment and of the record that come next */
    uint64_t n_recovered;              /* records of segments that were incomplete */
    uint64_t n_cut;     /* bytes that were cut off there: records that nobody was answered */
    uint64_t n_damaged; /* records that had been synced, and cannot be read */
    uint64_t n_bad, bad_segment; /* segments that cannot be read, and the serial of the first one */
    uint64_t failed; /* after an error: the serial of the segment that it is about; 0: of none */
};

/* Reads the log, completes it, and adds its segments to the store. 0; or a negative errno: then only
 * ret->failed is set. That may take a minute: progress is called whenever some megabytes are read or
 * written. NULL: nobody. */
int recover(struct store *store, void (*progress)(void), struct recovery *ret);
