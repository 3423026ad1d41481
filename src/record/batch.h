/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/*
 * Encoded records on their way to a sink, oldest first. They enter at the end. They leave at the
 * front once the sink has them.
 */

#define BATCH_RECORDS 512           /* the limit: journald's queue has as many places */
#define BATCH_BYTES   (256 * 1024U) /* beyond this many bytes there is no room for more */

struct batch {
    struct buffer *bytes;
    uint64_t start;               /* position of the first byte among all bytes that ever entered */
    uint64_t first, end;          /* numbers of the records, counted from 0: first up to end - 1 */
    uint64_t ends[BATCH_RECORDS]; /* by number % BATCH_RECORDS: where it ends, counted like
                                     `start` */
    uint64_t usual;               /* recent average size of a record, in bytes */
};

void batch_free(struct batch *b);

static inline size_t batch_records(const struct batch *b)
{
    return (size_t)(b->end - b->first);
}

/* Room for more records, assuming the usual size. 0 is exact. */
size_t batch_room(const struct batch *b);

/* To add a record, append its bytes to b->bytes. Then keep them as a record, or drop them. */
void batch_keep(struct batch *b);
void batch_drop(struct batch *b);

/* The bytes of record number n (first to end - 1), valid until a record is added. */
const uint8_t *batch_record(const struct batch *b, uint64_t n, size_t *ret_size);

/* Removes the oldest n records. */
void batch_leave(struct batch *b, size_t n);

/* Removes n bytes of the oldest record, fewer than it has. */
void batch_leave_bytes(struct batch *b, size_t n);
