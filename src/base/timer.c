/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <string.h>

#include "base/timer.h"

void timer_wheel_init(struct timer_wheel *w, uint64_t now)
{
    memset(w, 0, sizeof *w);
    w->now = now;
}

static void link_timer(struct timer **head, struct timer *t)
{
    t->next = *head;
    if (t->next)
        t->next->pprev = &t->next;
    t->pprev = head;
    *head = t;
}

static void insert(struct timer_wheel *w, struct timer *t)
{
    if (t->expires <= w->now) {
        link_timer(&w->due, t);
        return;
    }

    unsigned level = (63 - __builtin_clzll(t->expires ^ w->now)) / TIMER_LEVEL_BITS;
    unsigned slot = (t->expires >> (level * TIMER_LEVEL_BITS)) & (TIMER_SLOTS - 1);

    link_timer(&w->slots[level][slot], t);
    w->occupied[level] |= UINT64_C(1) << slot;
}

void timer_cancel(struct timer *t)
{
    /* The slot's bit in `occupied` stays: a visit to an empty slot is cheaper than finding out
     * here. */
    if (!t->pprev)
        return;
    *t->pprev = t->next;
    if (t->next)
        t->next->pprev = t->pprev;
    t->next = NULL;
    t->pprev = NULL;
}

void timer_set(struct timer_wheel *w, struct timer *t, uint64_t expires)
{
    timer_cancel(t);
    t->expires = expires;
    if (expires != TIMER_NEVER)
        insert(w, t);
}

/* The nearest occupied slot. All slots that lie in the past have been emptied, so within a level
 * the lowest bit is the nearest, and a lower level is always nearer than a higher one. */
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

/* Empties a slot whose time has begun: its timers are due, or move to a lower level. */
static void cascade(struct timer_wheel *w, unsigned level, unsigned slot)
{
    struct timer *t = w->slots[level][slot], *next;

    w->slots[level][slot] = NULL;
    w->occupied[level] &= ~(UINT64_C(1) << slot);
    for (; t; t = next) {
        next = t->next;
        insert(w, t);
    }
}

struct timer *timer_wheel_advance(struct timer_wheel *w, uint64_t now)
{
    unsigned level, slot;
    uint64_t start;
    struct timer *t;

    while (!w->due && nearest(w, &level, &slot, &start) && start <= now) {
        w->now = start;
        cascade(w, level, slot);
    }
    t = w->due;
    if (t)
        timer_cancel(t);
    else if (now > w->now)
        w->now = now;
    return t;
}
