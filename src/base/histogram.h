/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <stdio.h>

/*
 * A histogram of times in one unit, such as nanoseconds. It is log-linear like HdrHistogram: three
 * significant digits over the whole range, in constant memory, without allocation.
 *
 * Values below 2048 have a bucket each. Above that, each doubling is split into 1024 buckets of
 * equal width, so a bucket is never wider than 1/1024 of its values. An all-zero struct is an empty
 * histogram.
 *
 * One process may record while others read. Each count is a single word with one writer and relaxed
 * readers. A reader sees a past value of each count, but not all from the same moment.
 */
#define HISTOGRAM_SUB_BITS 11
#define HISTOGRAM_HALF     (1 << (HISTOGRAM_SUB_BITS - 1))
#define HISTOGRAM_BITS     42 /* 73 minutes in ns; longer times count as that */
#define HISTOGRAM_MAX      ((UINT64_C(1) << HISTOGRAM_BITS) - 1)
#define HISTOGRAM_LEVELS   (HISTOGRAM_BITS - HISTOGRAM_SUB_BITS + 1)
#define HISTOGRAM_BUCKETS  ((HISTOGRAM_LEVELS + 1) * HISTOGRAM_HALF)

struct histogram {
    uint64_t max; /* exact, even above HISTOGRAM_MAX */
    uint64_t counts[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_index(uint64_t value)
{
    unsigned shift;

    if (value < 2 * HISTOGRAM_HALF)
        return (unsigned)value;
    if (value > HISTOGRAM_MAX)
        value = HISTOGRAM_MAX;
    shift = 64 - HISTOGRAM_SUB_BITS - (unsigned)__builtin_clzll(value);
    return shift * HISTOGRAM_HALF + (unsigned)(value >> shift);
}

static inline void histogram_record(struct histogram *h, uint64_t value)
{
    uint64_t *count = &h->counts[histogram_index(value)];

    __atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
    if (value > h->max)
        __atomic_store_n(&h->max, value, __ATOMIC_RELAXED);
}

/* The smallest and the largest value of a bucket. */
uint64_t histogram_lowest(unsigned index);
uint64_t histogram_highest(unsigned index);

/* Adds the values of `from`. Another process may be recording into it. */
void histogram_add(struct histogram *h, const struct histogram *from);

/* ret = later - earlier, for two states of one histogram: the values recorded in between. The
 * maximum is exact only to a bucket's width. */
void histogram_difference(const struct histogram *later, const struct histogram *earlier,
                          struct histogram *ret);

uint64_t histogram_total(const struct histogram *h);

/* The value that `percentile` (0 to 100) percent of all values do not exceed: the largest value of
 * its bucket, but never more than max. 0 for an empty histogram. */
uint64_t histogram_percentile(const struct histogram *h, double percentile);

/* 0 for an empty histogram. */
double histogram_mean(const struct histogram *h);
double histogram_deviation(const struct histogram *h);

/* Writes the percentile distribution in HdrHistogram's text form, with five steps for each halving
 * of the distance to 100 %. Values are in nanoseconds and are written in milliseconds. Returns 0 or
 * -EIO. */
int histogram_write(const struct histogram *h, FILE *f);
