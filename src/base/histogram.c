/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "base/histogram.h"
#include "base/macros.h"

#define NS_PER_MS      1e6
#define STEPS_PER_HALF 5

uint64_t histogram_lowest(unsigned index)
{
    unsigned shift;

    if (index < 2 * HISTOGRAM_HALF)
        return index;
    shift = index / HISTOGRAM_HALF - 1;
    return (uint64_t)(index - shift * HISTOGRAM_HALF) << shift;
}

uint64_t histogram_highest(unsigned index)
{
    return histogram_lowest(index + 1) - 1;
}

void histogram_add(struct histogram *h, const struct histogram *from)
{
    uint64_t max = __atomic_load_n(&from->max, __ATOMIC_RELAXED);

    h->max = MAX(h->max, max);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        h->counts[i] += __atomic_load_n(&from->counts[i], __ATOMIC_RELAXED);
}

void histogram_difference(const struct histogram *later, const struct histogram *earlier,
                          struct histogram *ret)
{
    ret->max = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        ret->counts[i] = later->counts[i] - earlier->counts[i];
        if (ret->counts[i] > 0)
            ret->max = MIN(histogram_highest(i), later->max);
    }
    if (later->max > earlier->max && later->max > ret->max)
        ret->max = later->max;
}

uint64_t histogram_total(const struct histogram *h)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += h->counts[i];
    return total;
}

/* How many of `total` values a percentile covers: at least 1. */
static uint64_t rank(uint64_t total, double percentile)
{
    double exact = percentile / 100.0 * (double)total;
    uint64_t n;

    /* 99.9 % of 1000 is 999. A rounding error in the last bit must not make it 1000. */
    n = (uint64_t)ceil(exact - exact * 1e-12);
    return n < 1 ? 1 : MIN(n, total);
}

uint64_t histogram_percentile(const struct histogram *h, double percentile)
{
    uint64_t total = histogram_total(h), wanted, sum = 0;

    if (total == 0)
        return 0;
    wanted = rank(total, percentile);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        sum += h->counts[i];
        if (sum == total)
            return h->max;
        if (sum >= wanted)
            return MIN(histogram_highest(i), h->max);
    }
    return h->max;
}

static double middle(unsigned index)
{
    return ((double)histogram_lowest(index) + (double)histogram_highest(index)) / 2;
}

double histogram_mean(const struct histogram *h)
{
    uint64_t total = histogram_total(h);
    double sum = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (h->counts[i] > 0)
            sum += (double)h->counts[i] * middle(i);
    return total > 0 ? sum / (double)total : 0;
}

double histogram_deviation(const struct histogram *h)
{
    uint64_t total = histogram_total(h);
    double mean = histogram_mean(h), sum = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (h->counts[i] > 0)
            sum += (double)h->counts[i] * (middle(i) - mean) * (middle(i) - mean);
    return total > 0 ? sqrt(sum / (double)total) : 0;
}

/* The percentile of the next line. Steps get finer towards 100, so that each halving of the
 * remaining distance has the same number of lines. */
static double next_percentile(double percentile)
{
    double halvings = floor(log2(100.0 / (100.0 - percentile))) + 1;

    return percentile + 100.0 / (STEPS_PER_HALF * exp2(halvings));
}

static void write_lines(const struct histogram *h, uint64_t total, FILE *f)
{
    double percentile = 0;
    uint64_t sum = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double value;

        if (h->counts[i] == 0)
            continue;
        sum += h->counts[i];
        value = (double)MIN(histogram_highest(i), h->max) / NS_PER_MS;
        while (sum < total && 100.0 * (double)sum / (double)total >= percentile) {
            (void)fprintf(f, "%12.3f %2.12f %10" PRIu64 " %14.2f\n", value, percentile / 100, sum,
                          100.0 / (100.0 - percentile));
            percentile = next_percentile(percentile);
        }
    }
    if (total > 0)
        (void)fprintf(f, "%12.3f %2.12f %10" PRIu64 "\n", (double)h->max / NS_PER_MS, 1.0, total);
}

int histogram_write(const struct histogram *h, FILE *f)
{
    uint64_t total = histogram_total(h);

    (void)fprintf(f, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
                  "1/(1-Percentile)");
    write_lines(h, total, f);
    (void)fprintf(f, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n",
                  histogram_mean(h) / NS_PER_MS, histogram_deviation(h) / NS_PER_MS);
    (void)fprintf(f, "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n",
                  (double)h->max / NS_PER_MS, total);
    (void)fprintf(f, "#[Buckets = %12d, SubBuckets     = %12d]\n", HISTOGRAM_LEVELS,
                  2 * HISTOGRAM_HALF);
    return ferror(f) ? -EIO : 0;
}
