/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Bytes in order, named by how many have ever gone before them. All zero is an empty one. */
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
/* The first n, which are there. They stay. */
void sim_ring_peek(const struct sim_ring *r, void *bytes, size_t n);
/* Writes over the first n. */
void sim_ring_replace(struct sim_ring *r, const void *bytes, size_t n);
void sim_ring_drop(struct sim_ring *r, size_t n);
/* The last ones, down to `end`. */
void sim_ring_cut(struct sim_ring *r, uint64_t end);
void sim_ring_free(struct sim_ring *r);
