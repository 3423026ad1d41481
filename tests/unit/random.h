/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Random numbers for tests. The same seed gives the same numbers on every machine, so a failure can
 * be repeated. */

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 to n - 1. */
static inline uint64_t random_below(uint64_t *state, uint64_t n)
{
    return random_next(state) % n;
}

/* Below 2^bits, with every order of magnitude equally likely. bits: at most 63. */
static inline uint64_t random_magnitude(uint64_t *state, unsigned bits)
{
    return random_next(state) & ((UINT64_C(1) << random_below(state, bits + 1)) - 1);
}
