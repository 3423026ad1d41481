/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "base/timer.h"

#define EXPIRES_MAX ((UINT64_C(1) << TIMER_EXPIRES_BITS) - 1)

static struct timer *timer_of(struct link *l)
{
    return CONTAINER_OF(l, struct timer, link);
}

void timer_wheel_init(struct timer_wheel *w, uint64_t now)
{
    memset(w, 0, sizeof *w);
    w->now = now;
}

static void insert(struct timer_wheel *w, struct timer *t)
{
    uint64_t expires = t->expires;
    unsigned level, slot;

    if (expires <= w->now) {
        link_insert(&w->due, &t->link);
        return;
    }
    level = (63 - (unsigned)__builtin_clzll(expires ^ w->now)) / TIMER_LEVEL_BITS;
    slot = (expires >> (level * TIMER_LEVEL_BITS)) & (TIMER_SLOTS - 1);
    link_insert(&w->slots[level][slot], &t->link);
    w->occupied[level] |= UINT64_C(1) << slot;
}

void timer_cancel(struct timer *t)
{
    /* The slot's bit in `occupied` stays set. Visiting an empty slot costs less than checking here. */
    link_remove(&t->link);
}

void timer_set(struct timer_wheel *w, struct timer *t, uint64_t expires)
{
    timer_cancel(t);
    if (expires == TIMER_NEVER)
        return;
    t->expires = MIN(expires, EXPIRES_MAX);
    insert(w, t);
}

/* The nearest occupied slot. All past slots are empty, so within a level the lowest bit is the
 * nearest, and a lower level is always nearer than a higher one. */
static bool nearest(const struct timer_wheel *w, unsigned *ret_level, unsigned *ret_slot,
                    uint64_t *ret_start)
{
    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        unsigned shift = level * TIMER_LEVEL_BITS, above = shift + TIMER_LEVEL_BITS;
        uint64_t base;

        if (!w->occupied[level])
            continue;
        base = above < 64 ? w->now >> above << above : 0;
        *ret_level = level;
        *ret_slot = __builtin_ctzll(w->occupied[level]);
        *ret_start = base | (uint64_t)*ret_slot << shift;
        return true;
    }
    return false;
}

uint64_t timer_wheel_next(const struct timer_wheel *w)
{
    unsigned level, slot;
    uint64_t start;

    if (w->due)
        return w->now;
    return nearest(w, &level, &slot, &start) ? start : TIMER_NEVER;
}

/* Empties a slot whose time has come: its timers expire, or move to a lower level. */
static void cascade(struct timer_wheel *w, unsigned level, unsigned slot)
{
    struct link *l;

    w->occupied[level] &= ~(UINT64_C(1) << slot);
    while ((l = w->slots[level][slot])) {
        link_remove(l);
        insert(w, timer_of(l));
    }
}

struct timer *timer_wheel_advance(struct timer_wheel *w, uint64_t now)
{
    unsigned level, slot;
    uint64_t start;
    struct link *l;

    while (!w->due && nearest(w, &level, &slot, &start) && start <= now) {
        w->now = start;
        cascade(w, level, slot);
    }
    l = w->due;
    if (l)
        link_remove(l);
    else if (now > w->now)
        w->now = now;
    return l ? timer_of(l) : NULL;
}
