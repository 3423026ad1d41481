/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A queue of bytes. Each byte has a position: the number of bytes that were ever before it. All
 * zero is an empty ring. */
struct sim_ring {
    uint8_t *bytes;
    size_t capacity; /* a power of two, or 0 */
    uint64_t start, end;
};

static inline uint64_t sim_ring_size(const struct sim_ring *r)
{
    return r->end - r->start;
}

void sim_ring_put(struct sim_ring *r, const void *bytes, size_t n);
/* Copies the first n bytes, which must be there. They stay. */
void sim_ring_peek(const struct sim_ring *r, void *bytes, size_t n);
/* Overwrites the first n bytes. */
void sim_ring_replace(struct sim_ring *r, const void *bytes, size_t n);
void sim_ring_drop(struct sim_ring *r, size_t n);
/* Removes bytes at the end, down to position `end`. */
void sim_ring_cut(struct sim_ring *r, uint64_t end);
void sim_ring_free(struct sim_ring *r);
