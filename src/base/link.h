/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A link in a list, embedded in the listed struct. It points back to the pointer that points to it,
 * so it can leave its list in O(1) without knowing which list that is. An all-zero link is in no
 * list.
 */
struct link {
    struct link *next, **pprev;
};

static inline bool link_linked(const struct link *l)
{
    return l->pprev;
}

/* Inserts l, which is in no list, where `at` points: at a list's head, or after another link. */
static inline void link_insert(struct link **at, struct link *l)
{
    l->next = *at;
    if (l->next)
        l->next->pprev = &l->next;
    l->pprev = at;
    *at = l;
}

/* Does nothing if l is in no list. */
static inline void link_remove(struct link *l)
{
    if (!l->pprev)
        return;
    *l->pprev = l->next;
    if (l->next)
        l->next->pprev = l->pprev;
    *l = (struct link){ NULL, NULL };
}

/* A FIFO queue. */
struct link_queue {
    struct link *first, **tail;
};

static inline void link_queue_init(struct link_queue *q)
{
    *q = (struct link_queue){ .tail = &q->first };
}

static inline void link_queue_append(struct link_queue *q, struct link *l)
{
    link_insert(q->tail, l);
    q->tail = &l->next;
}

/* Removes l, which must be in this queue. */
static inline void link_queue_remove(struct link_queue *q, struct link *l)
{
    if (!l->next)
        q->tail = l->pprev;
    link_remove(l);
}
