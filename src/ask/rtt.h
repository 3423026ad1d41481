/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/histogram.h"

/*
 * Statistics of round-trip times in constant memory: exact extremes, mean and deviation, and
 * percentiles to three digits.
 */
struct rtt {
    uint64_t count, min;    /* µs */
    double mean, squares;   /* squares: sum of squared distances from the mean */
    struct histogram times; /* µs; its max is the longest time */
};

void rtt_add(struct rtt *r, uint64_t us);

/* The standard deviation, as mdev in ping(8). 0 without times. */
double rtt_deviation(const struct rtt *r);
