/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <unistd.h>

#include "net/loop.h"

_Static_assert(EPOLLRDHUP >> 8 == READY_RDHUP, "RDHUP folds into the byte");
_Static_assert((READY_IN | READY_PRI | READY_OUT | READY_ERR | READY_HUP) == 0x1f,
               "below RDHUP's bit");

#define CACHE_LINE 64

int loop_init(struct loop *l)
{
    l->head = l->turn = NULL;
    l->tail = &l->head;
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return l->epoll_fd < 0 ? -errno : 0;
}

void loop_deinit(struct loop *l)
{
    if (l->epoll_fd >= 0)
        (void)close(l->epoll_fd);
    l->epoll_fd = -1;
}

static int control(struct loop *l, int operation, struct source *s, uint32_t events)
{
    struct epoll_event event = { .events = events | EPOLLET, .data.ptr = s };

    return epoll_ctl(l->epoll_fd, operation, s->fd, &event) < 0 ? -errno : 0;
}

int loop_add(struct loop *l, struct source *s, uint32_t events)
{
    return control(l, EPOLL_CTL_ADD, s, events);
}

int loop_rebind(struct loop *l, struct source *s, uint32_t events)
{
    return control(l, EPOLL_CTL_MOD, s, events);
}

void loop_remove(struct loop *l, struct source *s)
{
    /* Fails only for what is not registered, which is what is wanted. */
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
}

void loop_queue(struct loop *l, struct source *s)
{
    if (s->queued)
        return;
    s->queued = true;
    s->next = NULL;
    *l->tail = s;
    l->tail = &s->next;
}

void loop_queue_first(struct loop *l, struct source *first, struct source **tail)
{
    *tail = l->head;
    if (!l->head)
        l->tail = tail;
    l->head = first;
}

int loop_wait(struct loop *l, int timeout_ms)
{
    int n = epoll_wait(l->epoll_fd, l->events, LOOP_EVENTS, l->head ? 0 : timeout_ms);

    if (n < 0 && errno != EINTR)
        return -errno;
    for (int i = 0; i < n; i++) {
        struct source *s = l->events[i].data.ptr;
        uint32_t events = l->events[i].events;

        s->ready |= (uint8_t)((events & 0x1f) | (events >> 8 & READY_RDHUP));
        loop_queue(l, s);
    }
    l->turn = l->head;
    l->head = NULL;
    l->tail = &l->head;
    return 0;
}

struct source *loop_next(struct loop *l)
{
    struct source *s = l->turn;

    if (!s)
        return NULL;
    l->turn = s->next;
    /* The one after this is looked at as soon as a system call or two are made, and what it is part
     * of reaches beyond a line of the processor's cache. */
    __builtin_prefetch(l->turn, 1);
    /* As a number, since there may be none. */
    __builtin_prefetch((const void *)((uintptr_t)l->turn + CACHE_LINE), 1);
    s->next = NULL;
    s->queued = false;
    return s;
}

void loop_unqueue(struct loop *l, struct source *s)
{
    if (!s->queued)
        return;
    for (struct source **p = &l->turn; *p; p = &(*p)->next)
        if (*p == s) {
            *p = s->next;
            break;
        }
    for (l->tail = &l->head; *l->tail;) {
        if (*l->tail == s)
            *l->tail = s->next;
        else
            l->tail = &(*l->tail)->next;
    }
    s->queued = false;
}
