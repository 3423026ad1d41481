/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <time.h>

/*
 * One reading of the clocks. The loop takes it once per turn and passes it down, so code below the
 * loop never reads a clock. Durations and timeouts use `mono_us`; `real_us` is only for display.
 */
struct moment {
    uint64_t mono_us; /* CLOCK_MONOTONIC_COARSE: a few ms of resolution, a quarter of the cost */
    uint64_t real_us; /* CLOCK_REALTIME_COARSE */
};

static inline uint64_t clock_ns(clockid_t id)
{
    struct timespec t;

    /* Fails only for unknown clocks (clock_gettime(2)). */
    (void)clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_us(clockid_t id)
{
    return clock_ns(id) / 1000;
}

static inline struct moment moment_now(void)
{
    return (struct moment){
        .mono_us = clock_us(CLOCK_MONOTONIC_COARSE),
        .real_us = clock_us(CLOCK_REALTIME_COARSE),
    };
}
