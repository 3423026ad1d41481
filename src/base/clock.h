/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <time.h>

/*
 * One reading of the clocks, taken once a turn of the loop and passed down: code below the loop
 * never asks for the time. Whatever is measured or timed out uses `mono_us`; `real_us` is only ever
 * shown.
 */
struct moment {
    uint64_t mono_us; /* CLOCK_MONOTONIC_COARSE: a few ms of resolution, a quarter of the cost */
    uint64_t real_us; /* CLOCK_REALTIME_COARSE */
};

static inline uint64_t clock_ns(clockid_t id)
{
    struct timespec t;

    /* Fails for unknown clocks only (clock_gettime(2)). */
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
