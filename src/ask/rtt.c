/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "ask/rtt.h"
#include "base/macros.h"

void rtt_add(struct rtt *r, uint64_t us)
{
    double distance = (double)us - r->mean;

    r->min = r->count > 0 ? MIN(r->min, us) : us;
    r->count++;
    histogram_record(&r->times, us);
    /* Welford's method. Subtracting sums of squares would lose precision. */
    r->mean += distance / (double)r->count;
    r->squares += distance * ((double)us - r->mean);
}

double rtt_deviation(const struct rtt *r)
{
    return r->count > 0 ? sqrt(r->squares / (double)r->count) : 0;
}
