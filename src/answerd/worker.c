/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "answerd/connection.h"
#include "answerd/listener.h"
#include "answerd/log.h"
#include "answerd/worker.h"
#include "base/macros.h"

#define TRIM_ABOVE    ((size_t)256 * 1024)
#define TRIM_AFTER_MS 1000

/* A source is the first member of what it is part of, so that its kind says how to cast it back. */
_Static_assert(offsetof(struct connection, source) == 0, "cast in dispatch()");
_Static_assert(offsetof(struct acceptor, source) == 0, "cast in dispatch()");
_Static_assert(offsetof(struct handover, source) == 0, "cast in dispatch()");
_Static_assert(offsetof(struct recorder, source) == 0, "cast in dispatch()");

void worker_plan_free(struct worker_plan *plan)
{
    for (size_t i = 0; plan && i < plan->n; i++)
        acceptor_discard(plan->acceptors[i]);
    free(plan);
}

void worker_bury(struct worker *w, struct connection *c)
{
    c->source.next = w->graveyard;
    w->graveyard = &c->source;
}

static void free_buried(struct worker *w)
{
    while (w->graveyard) {
        struct connection *c = (struct connection *)w->graveyard;

        w->graveyard = c->source.next;
        settings_unref(c->settings);
        pool_free(&w->connections, c);
    }
}

static void resume_acceptors(struct worker *w)
{
    for (struct acceptor *a = w->acceptors; a; a = a->next)
        acceptor_resume(w, a);
}

/* One place is for one worker. */
void worker_connection_gone(struct worker *w)
{
    if (w->stopping) /* and others may be gone */
        return;
    if (atomic_load(&w->n_paused) > 0) {
        resume_acceptors(w);
        return;
    }
    for (unsigned i = 0; i < w->shared->n_workers; i++)
        if (atomic_load(&w->shared->workers[i]->n_paused) > 0) {
            worker_command(w->shared->workers[i], WORKER_ACCEPT);
            return;
        }
}

static void notify(struct worker *w)
{
    /* Fails only when the counter is full, and then the reader is woken anyway (eventfd(2)). */
    (void)!write(w->shared->notify_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

/* Opens a recorder when the first listener needs it, so that nobody looks for a journal that is not
 * used. */
static void need_recorder(struct worker *w, const struct settings *settings)
{
    struct recorder *r = worker_recorder(w, settings);

    if (r && r->sink.fd < 0 && r->troubled_ms == 0)
        recorder_open(w, r);
}

static struct acceptor *take_acceptor(struct worker *w, const struct listener *listener)
{
    for (struct acceptor **p = &w->acceptors, *a; (a = *p); p = &a->next)
        if (a->listener == listener) {
            *p = a->next;
            return a;
        }
    return NULL;
}

/* Accepts from the plan's listeners from now on: those it accepts from already only change their
 * settings. */
static void serve(struct worker *w, struct worker_plan *plan)
{
    struct acceptor *next = NULL, *a;

    for (; plan->n > 0; plan->n--) {
        struct acceptor *new = plan->acceptors[plan->n - 1];

        need_recorder(w, new->settings);
        a = take_acceptor(w, new->listener);
        if (a) {
            settings_unref(a->settings);
            a->settings = settings_ref(new->settings);
            acceptor_discard(new);
        } else {
            a = new;
            acceptor_begin(w, a);
        }
        a->next = next;
        next = a;
    }
    while (w->acceptors) {
        a = w->acceptors;
        w->acceptors = a->next;
        acceptor_free(w, a);
    }
    w->acceptors = next;
    worker_plan_free(plan);
    atomic_fetch_add(&w->plans_done, 1);
    notify(w);
}

static void drain_connection(void *item, void *userdata)
{
    connection_drain(userdata, item);
}

static void obey(struct worker *w)
{
    uint64_t value;
    unsigned commands;
    struct worker_plan *plan;

    /* First the wake-up is taken back, then the commands are looked at: one that comes in between
     * wakes us again. */
    (void)!read(w->command.fd, &value, sizeof value);
    w->command.ready = 0;
    commands = atomic_exchange(&w->commands, 0);
    if (commands & WORKER_PING) {
        atomic_fetch_add(&w->pings_answered, 1);
        notify(w);
    }
    plan = atomic_exchange(&w->plan, NULL);
    if (plan)
        serve(w, plan);
    if (commands & WORKER_ACCEPT)
        resume_acceptors(w);
    if (commands & WORKER_DRAIN && !w->draining) {
        w->draining = true;
        pool_for_each(&w->connections, drain_connection, w);
    }
    if (commands & WORKER_STOP)
        w->stopping = true;
}

static void dispatch(struct worker *w, struct source *s)
{
    switch ((enum source_kind)s->kind) {
    case SOURCE_CONNECTION:
        connection_dispatch(w, (struct connection *)s);
        break;
    case SOURCE_ACCEPTOR:
        acceptor_dispatch(w, (struct acceptor *)s);
        break;
    case SOURCE_HANDOVER:
        handover_dispatch(w, (struct handover *)s);
        break;
    case SOURCE_RECORDER:
        recorder_dispatch(w, (struct recorder *)s);
        break;
    case SOURCE_PAUSE:
        recorder_resume(w, CONTAINER_OF(s, struct recorder, pause));
        break;
    case SOURCE_COMMAND:
        obey(w);
        break;
    }
}

static void give_memory_back(struct worker *w)
{
    (void)malloc_trim(0);
    w->memory_peak = w->memory;
}

/* Which struct a timer is part of follows from where it lies: recorders and acceptors are few. */
static void run_timer(struct worker *w, struct timer *t)
{
    if (t == &w->trim) {
        give_memory_back(w);
        return;
    }
    if (t == &w->journal.retry || t == &w->console.retry) {
        recorder_retry(w, CONTAINER_OF(t, struct recorder, retry));
        return;
    }
    for (struct acceptor *a = w->acceptors; a; a = a->next)
        if (t == &a->retry) {
            acceptor_resume(w, a);
            return;
        }
    connection_timeout(w, CONTAINER_OF(t, struct connection, timer));
}

/* In ms, as epoll_wait(2) wants it. By the clock as it is now: the turn may have taken its time, which
 * would be waited for again. */
static int timeout(const struct worker *w)
{
    uint64_t next = timer_wheel_next(&w->wheel), now;

    if (next == TIMER_NEVER)
        return -1;
    now = clock_us(CLOCK_MONOTONIC_COARSE) / 1000;
    return next <= now ? 0 : (int)MIN(next - now, UINT64_C(60000));
}

/* Freed buffers stay with malloc(3) for as long as anything in use lies behind them in its heap. So
 * a while after a burst, and not after each message that was large, they are given back to the
 * system. */
static void watch_memory(struct worker *w)
{
    w->memory_peak = MAX(w->memory_peak, w->memory);
    if (w->memory_peak > TRIM_ABOVE && w->memory < w->memory_peak / 4 && !timer_armed(&w->trim))
        timer_set(&w->wheel, &w->trim, worker_ms(w) + TRIM_AFTER_MS);
}

static void dispatch_ready(struct worker *w)
{
    struct source *s;

    while ((s = loop_next(&w->loop)))
        dispatch(w, s);
}

/* Before anything runs out, what came in until the clock was read is looked at: the process may have
 * stood still since it last asked the kernel, and what came meanwhile came in time. */
static void run_timers(struct worker *w)
{
    struct timer *t;

    if (timer_wheel_next(&w->wheel) > worker_ms(w))
        return;
    (void)loop_wait(&w->loop, 0);
    dispatch_ready(w);
    while ((t = timer_wheel_advance(&w->wheel, worker_ms(w))))
        run_timer(w, t);
}

static void turn(struct worker *w)
{
    int r;

    r = loop_wait(&w->loop, timeout(w));
    if (r < 0) {
        log_event(EVENT_NOTICE, "worker %u ends: epoll_wait: %s", w->index, strerror(-r));
        w->stopping = true;
    }
    w->now = moment_now();
    dispatch_ready(w);
    run_timers(w);
    recorder_commit(w, &w->journal);
    recorder_commit(w, &w->console);
    free_buried(w);
    watch_memory(w);
}

static bool drained(const struct worker *w)
{
    return w->draining && atomic_load_explicit(&w->n_connections, memory_order_relaxed) == 0 &&
           w->detached == 0 && sink_waiting(&w->journal.sink) == 0 &&
           sink_waiting(&w->console.sink) == 0;
}

static void close_connection(void *item, void *userdata)
{
    connection_close(userdata, item);
}

/* What is still queued or held is freed all the same: no turn will follow. */
static void free_connection(void *item, void *userdata)
{
    struct worker *w = userdata;
    struct connection *c = item;

    settings_unref(c->settings);
    pool_free(&w->connections, c);
}

/* Connections that were given to this worker and that it will never look at. */
static void discard_handovers(struct worker *w)
{
    struct source *s;

    (void)loop_wait(&w->loop, 0);
    while ((s = loop_next(&w->loop)))
        if (s->kind == SOURCE_HANDOVER)
            handover_discard(w, (struct handover *)s);
}

static void *worker_main(void *userdata)
{
    struct worker *w = userdata;

    while (!w->stopping && !drained(w))
        turn(w);
    /* What is cut off is said and counted before the end is. */
    pool_for_each(&w->connections, close_connection, w);
    atomic_store(&w->ended, true);
    notify(w);
    return NULL;
}

/* Signals are for the main thread, which reads them from a descriptor. */
static int start_thread(struct worker *w)
{
    sigset_t all, before;
    char name[16];
    int r;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&w->thread, NULL, worker_main, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return -r;
    (void)snprintf(name, sizeof name, "worker-%u", w->index);
    (void)pthread_setname_np(w->thread, name);
    return 0;
}

static void worker_deinit(struct worker *w)
{
    worker_plan_free(atomic_load(&w->plan));
    if (w->command.fd >= 0)
        (void)close(w->command.fd);
    loop_deinit(&w->loop);
    buffer_free(&w->reply);
    pool_deinit(&w->connections);
    free(w);
}

int worker_new(struct shared *shared, unsigned index, struct worker **ret)
{
    struct worker *w = calloc(1, sizeof *w);
    int r;

    if (!w)
        return -ENOMEM;
    w->shared = shared;
    w->index = index;
    w->now = moment_now();
    timer_wheel_init(&w->wheel, worker_ms(w));
    pool_init(&w->connections, sizeof(struct connection));
    recorder_init(&w->journal, "journal");
    sink_init_journal(&w->journal.sink, shared->journal_path);
    recorder_init(&w->console, "terminal");
    sink_init_stderr(&w->console.sink);
    w->command = (struct source){ .fd = -1, .kind = SOURCE_COMMAND };
    r = loop_init(&w->loop);
    if (r >= 0) {
        w->command.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = w->command.fd < 0 ? -errno : loop_add(&w->loop, &w->command, EPOLLIN);
    }
    if (r >= 0)
        r = start_thread(w);
    if (r < 0) {
        worker_deinit(w);
        return r;
    }
    *ret = w;
    return 0;
}

static void wake(struct worker *w)
{
    (void)!write(w->command.fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

void worker_command(struct worker *w, unsigned commands)
{
    atomic_fetch_or(&w->commands, commands);
    wake(w);
}

void worker_serve(struct worker *w, struct worker_plan *plan)
{
    struct worker_plan *unread = atomic_exchange(&w->plan, plan);

    /* Two in quick succession: the worker sees the newer one alone. */
    if (unread) {
        worker_plan_free(unread);
        atomic_fetch_add(&w->plans_done, 1);
    }
    wake(w);
}

void worker_join(struct worker *w)
{
    (void)pthread_join(w->thread, NULL);
}

void worker_free(struct worker *w)
{
    w->stopping = true;
    discard_handovers(w);
    pool_for_each(&w->connections, free_connection, w);
    w->graveyard = NULL;
    while (w->acceptors) {
        struct acceptor *a = w->acceptors;

        w->acceptors = a->next;
        acceptor_free(w, a);
    }
    recorder_deinit(&w->journal);
    recorder_deinit(&w->console);
    worker_deinit(w);
}
