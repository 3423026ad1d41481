/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "ask-bench/result.h"
#include "ask-bench/stats.h"

/* Adds up the workers' counts, in total and for slices of time. Too large for the stack. */
struct gather {
    struct worker_stats *workers; /* shared memory */
    uint32_t n_workers;
    uint64_t begin_ns, last_ns;
    struct counters base;    /* when the measurement began */
    struct counters last;    /* when the present slice began */
    struct histogram before; /* latencies before the present slice */
    struct histogram now, slice;
};

/* Begins the measurement and its first slice. */
void gather_begin(struct gather *g, uint64_t now_ns);

/* Ends a slice and begins the next one. */
void gather_slice(struct gather *g, const struct options *o, uint64_t now_ns, struct sample *ret);

/* Totals of the whole run. errors, connects and resumed count from the start, all else from
 * gather_begin(). */
void gather_total(const struct gather *g, struct result *ret);
