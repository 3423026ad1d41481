/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* One worker writes it, and any thread reads it. Both are relaxed, without the bus lock of an
 * atomic increment. */
typedef atomic_uint_least64_t counter;

static inline void count(counter *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline uint64_t counter_get(const counter *c)
{
    return atomic_load_explicit((counter *)c, memory_order_relaxed);
}

/* Events on one worker since it started. */
struct counters {
    counter accepted, refused, messages, bytes_in, bytes_out, timeouts, protocol_errors, shed;
    counter discarded;  /* bytes that arrived but were not taken as messages */
    counter dispatches; /* how often connections were dispatched */
};
