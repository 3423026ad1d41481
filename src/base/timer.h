/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/link.h"

/*
 * A hierarchical timer wheel: arming, re-arming and cancelling are O(1) for any number of timers.
 *
 * Times are milliseconds of any monotonic clock; the wheel itself never reads one. Level n has 64
 * slots of 64^n ms, so ten levels cover 60 bits, more than an expiry has. The highest bit in which
 * a timer's expiry differs from the wheel's current time selects its level. When the current time
 * reaches its slot, the timer moves down a level. In the lowest level it is exact.
 */

#define TIMER_NEVER UINT64_MAX

#define TIMER_LEVEL_BITS 6
#define TIMER_SLOTS      (1 << TIMER_LEVEL_BITS)
#define TIMER_LEVELS     10

#define TIMER_EXPIRES_BITS 56 /* enough for two million years */

/* Embedded in its owner. An all-zero timer is not armed. */
struct timer {
    struct link link;
    uint64_t expires : TIMER_EXPIRES_BITS; /* ms */
    uint64_t kind : 8;                     /* for the owner: which struct this is part of */
};

struct timer_wheel {
    uint64_t now;
    uint64_t occupied[TIMER_LEVELS]; /* a bit for each slot that holds timers */
    struct link *slots[TIMER_LEVELS][TIMER_SLOTS];
    struct link *due;
};

void timer_wheel_init(struct timer_wheel *w, uint64_t now);

static inline bool timer_armed(const struct timer *t)
{
    return link_linked(&t->link);
}

/* The time `span` after `ms`, or TIMER_NEVER if the span is TIMER_NEVER. */
static inline uint64_t timer_after(uint64_t ms, uint64_t span)
{
    return span == TIMER_NEVER ? TIMER_NEVER : ms + span;
}

/* Arms or re-arms. A time in the past expires with the next advance. TIMER_NEVER only cancels. */
void timer_set(struct timer_wheel *w, struct timer *t, uint64_t expires);
void timer_cancel(struct timer *t);

/* When to call timer_wheel_advance() next: never later than the first expiry, but maybe earlier.
 * TIMER_NEVER if no timer is armed. */
uint64_t timer_wheel_next(const struct timer_wheel *w);

/* Advances the current time to `now` (never backwards) and returns one expired timer, no longer
 * armed, or NULL if there are no more. */
struct timer *timer_wheel_advance(struct timer_wheel *w, uint64_t now);
