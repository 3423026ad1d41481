/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/loop.h"

_Static_assert(EPOLLRDHUP >> 8 == READY_RDHUP, "RDHUP folds into the byte");
_Static_assert((READY_IN | READY_PRI | READY_OUT | READY_ERR | READY_HUP) == 0x1f,
               "below RDHUP's bit");

int loop_init(struct loop *l)
{
    l->head = l->pass = NULL;
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

int loop_modify(struct loop *l, struct source *s, uint32_t events)
{
    return control(l, EPOLL_CTL_MOD, s, events);
}

void loop_remove(struct loop *l, struct source *s)
{
    /* Fails only if the source is not registered, which is fine. */
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

static int wait_ms(struct loop *l, uint64_t timeout_us)
{
    uint64_t ms = DIV_ROUND_UP(timeout_us, UINT64_C(1000));

    return epoll_wait(l->epoll_fd, l->events, LOOP_EVENTS,
                      timeout_us == LOOP_FOREVER ? -1 : (int)MIN(ms, (uint64_t)INT_MAX));
}

/* epoll_wait(2) counts in milliseconds, which is too coarse for short pauses. */
static int wait_us(struct loop *l, uint64_t timeout_us)
{
#ifdef HAVE_EPOLL_PWAIT2
    struct timespec timeout = { .tv_sec = (time_t)(timeout_us / 1000000),
                                .tv_nsec = (long)(timeout_us % 1000000 * 1000) };
    int n = epoll_pwait2(l->epoll_fd, l->events, LOOP_EVENTS, &timeout, NULL);

    /* A seccomp filter older than the call may return EPERM. */
    if (n >= 0 || (errno != ENOSYS && errno != EPERM))
        return n;
#endif
    return wait_ms(l, timeout_us);
}

static void begin_pass(struct loop *l)
{
    assert(!l->pass);
    l->pass = l->head;
    l->head = NULL;
    l->tail = &l->head;
}

int loop_wait(struct loop *l, uint64_t timeout_us)
{
    bool whole = timeout_us % 1000 == 0 || timeout_us == LOOP_FOREVER;
    int n;

    if (l->head)
        n = wait_ms(l, 0);
    else
        n = whole ? wait_ms(l, timeout_us) : wait_us(l, timeout_us);
    if (n < 0 && errno != EINTR)
        return -errno;
    for (int i = 0; i < n; i++) {
        struct source *s = l->events[i].data.ptr;
        uint32_t events = l->events[i].events;

        s->ready |= (uint8_t)((events & 0x1f) | (events >> 8 & READY_RDHUP));
        loop_queue(l, s);
    }
    begin_pass(l);
    return 0;
}

bool loop_again(struct loop *l)
{
    begin_pass(l);
    return l->pass;
}

struct source *loop_next(struct loop *l)
{
    struct source *s = l->pass;

    if (!s)
        return NULL;
    l->pass = s->next;
    s->next = NULL;
    s->queued = false;
    return s;
}

void loop_unqueue(struct loop *l, struct source *s)
{
    if (!s->queued)
        return;
    for (struct source **p = &l->pass; *p; p = &(*p)->next)
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
