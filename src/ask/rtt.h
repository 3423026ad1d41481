/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/*
 * Round-trip times: their extremes, mean and deviation exactly, percentiles within 1 %, in constant
 * memory however many there are.
 *
 * Counted in buckets: 128 for each power of two of µs, so that a bucket is as wide as 1/128 of what
 * it holds, and up to 256 µs it holds one value.
 */

#define RTT_SUB_BITS 7
#define RTT_BUCKETS  ((64 - RTT_SUB_BITS + 1) << RTT_SUB_BITS)

struct rtt {
    uint64_t count, min, max; /* µs */
    double mean, squares;     /* squares: the sum of squared distances from the mean */
    uint64_t buckets[RTT_BUCKETS];
};

void rtt_add(struct rtt *r, uint64_t us);

/* The mean distance from the mean, as ping(8)'s mdev: the standard deviation. 0 where none. */
double rtt_deviation(const struct rtt *r);

/* The time that `percent` of all were no longer than, from 0 to 100. 0 where there are none. */
uint64_t rtt_percentile(const struct rtt *r, double percent);
