/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "ask-bench/result.h"
#include "ask-bench/stats.h"

/* Adds up what the workers count, in all and in slices of time. Large: not for the stack. */
struct gather {
    struct worker_stats *workers; /* shared memory */
    uint32_t n_workers;
    uint64_t begin_ns, last_ns;
    struct counters base;    /* where the measurement began */
    struct counters last;    /* where the present slice did */
    struct histogram before; /* the latencies before the present slice */
    struct histogram now, slice;
};

/* A slice begins here, and the measurement too. */
void gather_begin(struct gather *g, uint64_t now_ns);

/* Ends a slice and begins the next one. */
void gather_slice(struct gather *g, const struct options *o, uint64_t now_ns, struct sample *ret);

/* The whole run's totals. errors and connects count from the start, all else from
 * gather_begin(). */
void gather_total(const struct gather *g, struct result *ret);
