/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/*
 * When things are due that happen so many times a second, shared out over workers: of every
 * `stride` in turn, this one has the one at `offset`.
 *
 * The time of each follows from its number alone, so that no error adds up however long a run
 * takes, and what is late does not push back what comes after it.
 */
struct pacer {
    uint64_t start_ns;
    uint64_t rate; /* a second, of all workers; not 0 */
    uint64_t stride, offset;
};

static inline uint64_t pacer_due(const struct pacer *p, uint64_t number)
{
    unsigned __int128 n = (unsigned __int128)number * p->stride + p->offset;

    return p->start_ns + (uint64_t)(n * 1000000000 / p->rate);
}

/* What part `index` of `parts` gets of a total, so that the parts add up to it. */
static inline uint64_t share(uint64_t total, uint64_t parts, uint64_t index)
{
    return total / parts + (index < total % parts ? 1 : 0);
}
