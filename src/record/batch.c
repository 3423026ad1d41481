/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>

#include "base/macros.h"
#include "record/batch.h"

/* A batch that held a large record does not keep its memory. */
#define BYTES_KEPT (2 * (size_t)BATCH_BYTES)

void batch_free(struct batch *b)
{
    buffer_free(&b->bytes);
}

static uint64_t end_of(const struct batch *b, uint64_t n)
{
    return b->ends[n % BATCH_RECORDS];
}

static uint64_t start_of(const struct batch *b, uint64_t n)
{
    return n == b->first ? b->start : end_of(b, n - 1);
}

size_t batch_room(const struct batch *b)
{
    size_t records = BATCH_RECORDS - batch_records(b), bytes = buffer_size(b->bytes);

    if (bytes >= BATCH_BYTES)
        return 0;
    return MIN(records, DIV_ROUND_UP(BATCH_BYTES - bytes, (size_t)MAX(b->usual, UINT64_C(1))));
}

void batch_keep(struct batch *b)
{
    uint64_t before = b->end == b->first ? b->start : end_of(b, b->end - 1),
             end = b->start + buffer_size(b->bytes);

    assert(batch_records(b) < BATCH_RECORDS && end >= before);
    b->ends[b->end++ % BATCH_RECORDS] = end;
    b->usual = (7 * b->usual + end - before) / 8;
}

void batch_drop(struct batch *b)
{
    uint64_t end = b->end == b->first ? b->start : end_of(b, b->end - 1);

    buffer_truncate(b->bytes, (size_t)(end - b->start));
}

const uint8_t *batch_record(const struct batch *b, uint64_t n, size_t *ret_size)
{
    uint64_t start = start_of(b, n);

    assert(n >= b->first && n < b->end);
    *ret_size = (size_t)(end_of(b, n) - start);
    return buffer_head(b->bytes) + (start - b->start);
}

void batch_leave(struct batch *b, size_t n)
{
    uint64_t end;

    assert(n <= batch_records(b));
    if (n == 0)
        return;
    end = end_of(b, b->first + n - 1);
    buffer_consume(b->bytes, (size_t)(end - b->start));
    b->start = end;
    b->first += n;
    if (b->first < b->end)
        return;
    if (b->bytes->capacity > BYTES_KEPT)
        buffer_free(&b->bytes);
    else
        buffer_clear(b->bytes);
}

void batch_leave_bytes(struct batch *b, size_t n)
{
    assert(batch_records(b) > 0 && n < end_of(b, b->first) - b->start);
    buffer_consume(b->bytes, n);
    b->start += n;
}
