/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/histogram.h"

/*
 * Round-trip times: their extremes, mean and deviation exactly, percentiles to three digits, in
 * constant memory however many there are.
 */
struct rtt {
    uint64_t count, min;    /* µs */
    double mean, squares;   /* squares: the sum of squared distances from the mean */
    struct histogram times; /* µs; the longest is its max */
};

void rtt_add(struct rtt *r, uint64_t us);

/* The mean distance from the mean, as ping(8)'s mdev: the standard deviation. 0 where none. */
double rtt_deviation(const struct rtt *r);
