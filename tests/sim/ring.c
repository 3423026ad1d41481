/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "own.h"
#include "ring.h"

#define SMALLEST ((size_t)256)

static size_t at(const struct sim_ring *r, uint64_t position)
{
    return (size_t)position & (r->capacity - 1);
}

static void copy_out(const struct sim_ring *r, uint8_t *to, size_t n)
{
    size_t from = at(r, r->start), first = r->capacity - from;

    if (first > n)
        first = n;
    memcpy(to, r->bytes + from, first);
    memcpy(to + first, r->bytes, n - first);
}

static void reserve(struct sim_ring *r, size_t size)
{
    size_t capacity = r->capacity > 0 ? r->capacity : SMALLEST, used = (size_t)sim_ring_size(r);
    uint8_t *bytes;

    if (size <= r->capacity)
        return;
    while (capacity < size)
        capacity *= 2;
    bytes = sim_own_alloc(capacity);
    if (used > 0) {
        struct sim_ring old = *r;
        size_t to = (size_t)r->start & (capacity - 1), first = capacity - to;

        if (first > used)
            first = used;
        copy_out(&old, bytes + to, first);
        old.start += first;
        copy_out(&old, bytes, used - first);
    }
    sim_own_free(r->bytes);
    r->bytes = bytes;
    r->capacity = capacity;
}

void sim_ring_put(struct sim_ring *r, const void *bytes, size_t n)
{
    size_t to, first;

    if (n == 0)
        return;
    reserve(r, (size_t)sim_ring_size(r) + n);
    to = at(r, r->end);
    first = r->capacity - to;
    if (first > n)
        first = n;
    memcpy(r->bytes + to, bytes, first);
    memcpy(r->bytes, (const uint8_t *)bytes + first, n - first);
    r->end += n;
}

void sim_ring_peek(const struct sim_ring *r, void *bytes, size_t n)
{
    if (n > 0)
        copy_out(r, bytes, n);
}

void sim_ring_replace(struct sim_ring *r, const void *bytes, size_t n)
{
    size_t to = at(r, r->start), first = r->capacity - to;

    if (first > n)
        first = n;
    memcpy(r->bytes + to, bytes, first);
    memcpy(r->bytes, (const uint8_t *)bytes + first, n - first);
}

void sim_ring_drop(struct sim_ring *r, size_t n)
{
    r->start += n;
}

void sim_ring_cut(struct sim_ring *r, uint64_t end)
{
    r->end = end;
}

void sim_ring_free(struct sim_ring *r)
{
    sim_own_free(r->bytes);
    *r = (struct sim_ring){ 0 };
}
