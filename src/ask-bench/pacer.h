/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/*
 * The due times of events at a fixed rate, shared among workers. Of every `stride` events, this
 * worker has the one at `offset`.
 *
 * Each time follows from the number of the event alone. So errors do not add up however long the
 * run is, and a late event does not delay later ones.
 */
struct pacer {
    uint64_t start_ns;
    uint64_t rate; /* per second, of all workers; not 0 */
    uint64_t stride, offset;
};

static inline uint64_t pacer_due(const struct pacer *p, uint64_t number)
{
    unsigned __int128 n = (unsigned __int128)number * p->stride + p->offset;

    return p->start_ns + (uint64_t)(n * 1000000000 / p->rate);
}

/* Part `index` of a total split into `parts`. The parts add up to the total. */
static inline uint64_t share(uint64_t total, uint64_t parts, uint64_t index)
{
    return total / parts + (index < total % parts ? 1 : 0);
}
