/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "ask/rtt.h"
#include "base/macros.h"

#define SUB (1 << RTT_SUB_BITS)

static unsigned int bucket_of(uint64_t us)
{
    unsigned int shift;

    if (us < SUB)
        return (unsigned int)us;
    /* The value's highest bit tells the power of two, the bits below it the bucket in there. */
    shift = 63U - (unsigned int)__builtin_clzll(us) - RTT_SUB_BITS;
    return (shift << RTT_SUB_BITS) + (unsigned int)(us >> shift);
}

/* The longest time in a bucket. */
static uint64_t bucket_end(unsigned int bucket)
{
    unsigned int shift;

    if (bucket < 2 * SUB)
        return bucket;
    shift = (bucket >> RTT_SUB_BITS) - 1;
    return (((uint64_t)bucket - (shift << RTT_SUB_BITS) + 1) << shift) - 1;
}

void rtt_add(struct rtt *r, uint64_t us)
{
    double distance = (double)us - r->mean;

    r->min = r->count > 0 ? MIN(r->min, us) : us;
    r->max = MAX(r->max, us);
    r->count++;
    r->buckets[bucket_of(us)]++;
    /* Welford's method: summing squares and subtracting would lose what they differ by. */
    r->mean += distance / (double)r->count;
    r->squares += distance * ((double)us - r->mean);
}

double rtt_deviation(const struct rtt *r)
{
    return r->count > 0 ? sqrt(r->squares / (double)r->count) : 0;
}

uint64_t rtt_percentile(const struct rtt *r, double percent)
{
    uint64_t rank, seen = 0;

    if (r->count == 0)
        return 0;
    rank = (uint64_t)ceil(percent / 100 * (double)r->count);
    for (unsigned int i = 0; i < RTT_BUCKETS; i++) {
        seen += r->buckets[i];
        if (seen >= MAX(rank, (uint64_t)1))
            return MIN(bucket_end(i), r->max);
    }
    return r->max;
}
