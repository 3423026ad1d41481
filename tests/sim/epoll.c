/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/macros.h"
#include "epoll.h"
#include "own.h"
#include "seed.h"

#define ALWAYS (EPOLLERR | EPOLLHUP)
#define IN_OUT ((uint32_t)(EPOLLIN | EPOLLOUT))
#define WITH_EXCLUSIVE                                                                             \
    (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

struct registration {
    struct sim_watch watch;
    struct epoll *epoll;
    int fd;
    struct epoll_event event;
    size_t place;                       /* index in its epoll's table */
    struct registration *next, **pprev; /* of the queue; pprev NULL: not queued */
};

struct epoll {
    struct sim_file file;
    struct registration *queue, **queue_tail;
    struct registration **table; /* all, to pick one to disturb, and to free them */
    size_t n, capacity;
    struct sim_sleeper *sleeper;
};

static struct {
    uint32_t watches, limit;
} user;

void sim_epoll_begin(bool plain)
{
    (void)plain;
    user.watches = 0;
    user.limit = UINT32_MAX;
}

void sim_epoll_limit(uint32_t watches)
{
    user.limit = watches;
}

uint32_t sim_epoll_watches(void)
{
    return user.watches;
}

static void queue_add(struct registration *r)
{
    struct epoll *e = r->epoll;

    if (r->pprev)
        return;
    r->next = NULL;
    r->pprev = e->queue_tail;
    *e->queue_tail = r;
    e->queue_tail = &r->next;
}

static void queue_remove(struct registration *r)
{
    if (!r->pprev)
        return;
    if (r->next)
        r->next->pprev = r->pprev;
    else
        r->epoll->queue_tail = r->pprev;
    *r->pprev = r->next;
    r->pprev = NULL;
}

/* Returns whether a thread was asleep. */
static bool wake_sleeper(struct epoll *e)
{
    struct sim_sleeper *sleeper = e->sleeper;

    e->sleeper = NULL;
    if (sleeper)
        sleeper->woken(sleeper);
    return sleeper;
}

/* ep_poll_callback() */
static bool on_wake(struct sim_watch *watch, uint32_t key)
{
    struct registration *r = CONTAINER_OF(watch, struct registration, watch);
    bool slept, counts = false;

    if (key != 0 && !(key & r->event.events))
        return false;
    queue_add(r);
    slept = wake_sleeper(r->epoll);
    if (!watch->exclusive)
        return true;
    if (slept)
        counts =
            (key & IN_OUT) == 0 || ((key & IN_OUT) != IN_OUT && key & IN_OUT & r->event.events);
    return counts;
}

static void forget(struct registration *r)
{
    struct epoll *e = r->epoll;
    struct registration *last = e->table[--e->n];

    queue_remove(r);
    e->table[r->place] = last;
    last->place = r->place;
    user.watches--;
    sim_own_free(r);
}

/* eventpoll_release_file() */
static void on_gone(struct sim_watch *watch)
{
    forget(CONTAINER_OF(watch, struct registration, watch));
}

static uint32_t epoll_poll(struct sim_file *file)
{
    return ((struct epoll *)file)->queue ? EPOLLIN : 0;
}

static void epoll_release(struct sim_file *file)
{
    struct epoll *e = (struct epoll *)file;

    while (e->n > 0) {
        sim_watch_remove(&e->table[0]->watch);
        forget(e->table[0]);
    }
    sim_own_free(e->table);
    sim_own_free(e);
}

static const struct sim_file_kind epoll_kind = {
    .name = "epoll",
    .poll = epoll_poll,
    .release = epoll_release,
};

struct sim_file *sim_epoll_new(void)
{
    struct epoll *e = sim_own_alloc(sizeof *e);

    sim_file_init(&e->file, &epoll_kind);
    e->queue_tail = &e->queue;
    return &e->file;
}

bool sim_epoll_is(const struct sim_file *file)
{
    return file->kind == &epoll_kind;
}

/* Only a few epolls watch a file. */
static struct registration *find(struct epoll *e, int fd, struct sim_file *file)
{
    for (struct sim_watch *w = file->watches; w; w = w->next) {
        struct registration *r;

        if (w->wake != on_wake)
            continue;
        r = CONTAINER_OF(w, struct registration, watch);
        if (r->epoll == e && r->fd == fd)
            return r;
    }
    return NULL;
}

static void ask_at_once(struct registration *r)
{
    if (!(r->watch.file->kind->poll(r->watch.file) & r->event.events))
        return;
    queue_add(r);
    (void)wake_sleeper(r->epoll);
}

static int add(struct epoll *e, int fd, struct sim_file *file, const struct epoll_event *event)
{
    struct registration *r;

    if (user.watches >= user.limit)
        return -ENOSPC;
    r = sim_own_alloc(sizeof *r);
    r->epoll = e;
    r->fd = fd;
    r->event = *event;
    r->watch.wake = on_wake;
    r->watch.gone = on_gone;
    if (e->n == e->capacity) {
        e->capacity = e->capacity > 0 ? 2 * e->capacity : 16;
        e->table = sim_own_resize(e->table, e->capacity * sizeof(struct registration *));
    }
    r->place = e->n;
    e->table[e->n++] = r;
    user.watches++;
    sim_watch_add(&r->watch, file, event->events & EPOLLEXCLUSIVE);
    ask_at_once(r);
    return 0;
}

int sim_epoll_control(struct sim_file *epoll, int operation, int fd, struct sim_file *file,
                      const struct epoll_event *event)
{
    struct epoll *e = (struct epoll *)epoll;
    struct registration *r;
    struct epoll_event wanted = { 0 };

    if (!epoll_kind.poll || epoll->kind != &epoll_kind || file == epoll)
        return -EINVAL;
    if (operation != EPOLL_CTL_DEL) {
        wanted = *event;
        if (wanted.events & EPOLLEXCLUSIVE &&
            (operation == EPOLL_CTL_MOD || wanted.events & ~(uint32_t)WITH_EXCLUSIVE))
            return -EINVAL;
        wanted.events |= ALWAYS;
    }
    if (!file->kind->poll)
        return -EPERM;
    r = find(e, fd, file);
    switch (operation) {
    case EPOLL_CTL_ADD:
        return r ? -EEXIST : add(e, fd, file, &wanted);
    case EPOLL_CTL_MOD:
        if (!r)
            return -ENOENT;
        if (r->watch.exclusive)
            return -EINVAL;
        r->event = wanted;
        ask_at_once(r);
        return 0;
    case EPOLL_CTL_DEL:
        if (!r)
            return -ENOENT;
        sim_watch_remove(&r->watch);
        forget(r);
        return 0;
    default:
        return -EINVAL;
    }
}

/* ep_send_events() */
int sim_epoll_collect(struct sim_file *epoll, struct epoll_event *events, int n)
{
    struct epoll *e = (struct epoll *)epoll;
    struct registration *again[64];
    int n_events = 0, n_again = 0;

    while (e->queue && n_events < n && n_again < (int)ARRAY_SIZE(again)) {
        struct registration *r = e->queue;
        uint32_t state;

        queue_remove(r);
        state = r->watch.file->kind->poll(r->watch.file) & r->event.events;
        if (!state)
            continue;
        events[n_events++] = (struct epoll_event){ .events = state, .data = r->event.data };
        if (!(r->event.events & EPOLLET))
            again[n_again++] = r;
    }
    for (int i = 0; i < n_again; i++)
        queue_add(again[i]);
    return n_events;
}

void sim_epoll_sleep(struct sim_file *epoll, struct sim_sleeper *sleeper)
{
    ((struct epoll *)epoll)->sleeper = sleeper;
}

void sim_epoll_disturb(struct sim_file *epoll)
{
    struct epoll *e = (struct epoll *)epoll;

    if (e->n > 0)
        queue_add(e->table[sim_below((uint32_t)e->n)]);
}

bool sim_epoll_has(const struct sim_file *epoll, int fd)
{
    const struct epoll *e = (const struct epoll *)epoll;

    for (size_t i = 0; i < e->n; i++)
        if (e->table[i]->fd == fd)
            return true;
    return false;
}
