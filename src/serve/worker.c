/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "record/event-log.h"
#include "serve/preface.h"
#include "serve/turn.h"
#include "serve/worker.h"

#define TRIM_AFTER_MS 1000

/* A source is the first member of its struct, so that its kind says how to cast it back. */
_Static_assert(offsetof(struct connection, transport.source) == 0, "cast in dispatch()");
_Static_assert(offsetof(struct acceptor, source) == 0, "cast in dispatch()");
_Static_assert(offsetof(struct handover, source) == 0, "cast in dispatch()");
_Static_assert(offsetof(struct preface, source) == 0, "cast in dispatch()");

void worker_plan_free(struct worker_plan *plan)
{
    for (size_t i = 0; plan && i < plan->n; i++)
        acceptor_discard(plan->acceptors[i]);
    free(plan);
}

/* --- commands ------------------------------------------------------------------------------- */

static struct acceptor *take_acceptor(struct worker *w, int fd)
{
    for (struct acceptor **p = &w->acceptors, *a; (a = *p); p = &a->next)
        if (a->source.fd == fd) {
            *p = a->next;
            return a;
        }
    return NULL;
}

static void free_acceptors(struct worker *w)
{
    while (w->acceptors) {
        struct acceptor *a = w->acceptors;

        w->acceptors = a->next;
        acceptor_free(&w->context, a);
    }
}

/* If the acceptor already exists, only its settings change. */
static struct acceptor *install(struct worker *w, struct acceptor *new)
{
    struct recorder *recorder = context_recorder(&w->context, new->settings);
    struct acceptor *a = take_acceptor(w, new->source.fd);

    /* Only if a listener needs it: an unused journal is never opened. */
    if (recorder)
        recorder_need(recorder);
    if (!a) {
        acceptor_begin(&w->context, new);
        return new;
    }
    acceptor_change(a, new->settings);
    acceptor_discard(new);
    return a;
}

/* Accepts from the plan's listeners from now on. */
static void carry_out(struct worker *w, struct worker_plan *plan)
{
    struct acceptor *kept = NULL;

    for (; plan->n > 0; plan->n--) {
        struct acceptor *a = install(w, plan->acceptors[plan->n - 1]);

        a->next = kept;
        kept = a;
    }
    free_acceptors(w);
    w->acceptors = kept;
    worker_plan_free(plan);
    atomic_fetch_add(&w->plans_done, 1);
    context_notify(&w->context);
}

void worker_send_plan(struct worker *w, struct worker_plan *plan)
{
    struct worker_plan *unread = atomic_exchange(&w->plan, plan);

    /* Two plans in quick succession: the worker sees only the newer one. */
    if (unread) {
        worker_plan_free(unread);
        atomic_fetch_add(&w->plans_done, 1);
    }
    context_command(&w->context, COMMAND_PLAN);
}

static void resume_acceptors(struct worker *w)
{
    for (struct acceptor *a = w->acceptors; a; a = a->next)
        acceptor_resume(&w->context, a);
}

static void run_commands(struct worker *w)
{
    struct context *x = &w->context;
    unsigned commands = context_take_commands(x);
    struct worker_plan *plan;

    if (commands & COMMAND_PING) {
        atomic_fetch_add(&w->pings_answered, 1);
        context_notify(x);
    }
    plan = atomic_exchange(&w->plan, NULL);
    if (plan)
        carry_out(w, plan);
    if (commands & COMMAND_RESUME)
        resume_acceptors(w);
    if (commands & COMMAND_DRAIN && !x->draining) {
        x->draining = true;
        preface_drain_all(x);
        connection_drain_all(x);
    }
    if (commands & COMMAND_STOP)
        w->stopping = true;
}

/* --- turns ---------------------------------------------------------------------------------- */

static void dispatch(struct worker *w, struct source *s)
{
    struct context *x = &w->context;

    switch ((enum source_kind)s->kind) {
    case SOURCE_CONNECTION:
        turn_dispatch(x, (struct connection *)s);
        break;
    case SOURCE_ACCEPTOR:
        acceptor_dispatch(x, (struct acceptor *)s);
        break;
    case SOURCE_HANDOVER:
        handover_dispatch(x, (struct handover *)s);
        break;
    case SOURCE_PREFACE:
        preface_dispatch(x, (struct preface *)s);
        break;
    case SOURCE_RECORDER:
        recorder_dispatch(CONTAINER_OF(s, struct recorder, source));
        break;
    case SOURCE_COMMAND:
        run_commands(w);
        break;
    }
}

static void dispatch_ready(struct worker *w)
{
    struct source *s;

    while ((s = loop_next(&w->context.loop)))
        dispatch(w, s);
}

static void run_timer(struct worker *w, struct timer *t)
{
    switch ((enum timer_kind)t->kind) {
    case TIMER_CONNECTION:
        turn_expire(&w->context, CONTAINER_OF(t, struct connection, timer));
        break;
    case TIMER_PREFACE:
        preface_expire(&w->context, CONTAINER_OF(t, struct preface, deadline));
        break;
    case TIMER_HANDSHAKE:
        handshakes_expire(&w->context);
        break;
    case TIMER_ACCEPTOR:
        acceptor_resume(&w->context, CONTAINER_OF(t, struct acceptor, retry));
        break;
    case TIMER_TRIM:
        budget_trim(&w->context.budget);
        break;
    }
}

/* Before a timer expires, the loop asks the kernel once more. The process may have stalled since
 * the last time, and input that arrived meanwhile is in time. */
static void run_timers(struct worker *w)
{
    struct context *x = &w->context;
    struct timer *t;

    if (timer_wheel_next(&x->wheel) > context_ms(x))
        return;
    (void)loop_wait(&x->loop, 0);
    dispatch_ready(w);
    while ((t = timer_wheel_advance(&x->wheel, context_ms(x))))
        run_timer(w, t);
}

/* Gives the available room to the waiters, in order. */
static void admit_waiters(struct worker *w, struct recorder *r)
{
    struct waiter *waiter;

    while ((waiter = recorder_next(r)))
        turn_admit(&w->context, CONTAINER_OF(waiter, struct connection, waiter));
}

/* At the end of a turn: deadline, waiters, submission. */
static void run_recorder(struct worker *w, struct recorder *r)
{
    if (!r || r->state == RECORDER_CLOSED)
        return;
    recorder_check(r);
    admit_waiters(w, r);
    recorder_commit(r);
}

static uint64_t until(uint64_t deadline_us, uint64_t now_us)
{
    return deadline_us > now_us ? deadline_us - now_us : 0;
}

static uint64_t recorders_sleep_until(const struct worker *w)
{
    uint64_t until = RECORDER_NEVER;

    for (unsigned i = 0; i < RECORD_MODES; i++)
        if (w->context.recorders[i])
            until = MIN(until, recorder_sleeps_until(w->context.recorders[i]));
    return until;
}

/* How long the loop may wait, in µs. Counted from the current time, not from the turn's clock: the
 * turn may have taken a while. */
static uint64_t timeout_us(const struct worker *w)
{
    uint64_t next = timer_wheel_next(&w->context.wheel), wait = LOOP_FOREVER,
             recorders = recorders_sleep_until(w);

    if (recorders == 0)
        return 0;
    if (next != TIMER_NEVER)
        wait = until(next, context_ms_now(&w->context)) * 1000;
    if (recorders != RECORDER_NEVER)
        wait = MIN(wait, until(recorders, clock_us(CLOCK_MONOTONIC)));
    return wait;
}

static void watch_memory(struct worker *w)
{
    struct context *x = &w->context;

    /* Memory is returned some time after a burst, not after each large message. */
    if (budget_is_slack(&x->budget) && !timer_armed(&w->trim))
        context_arm(x, &w->trim, context_ms(x) + TRIM_AFTER_MS);
}

void worker_turn(struct worker *w)
{
    struct context *x = &w->context;
    int r;

    r = loop_wait(&x->loop, timeout_us(w));
    if (r < 0) {
        event_log(EVENT_NOTICE, "worker %u failed: epoll_wait: %s", w->index, strerror(-r));
        w->stopping = true;
    }
    context_read_clock(x);
    x->handshakes.steps = 0;
    dispatch_ready(w);
    run_timers(w);
    for (unsigned i = 0; i < RECORD_MODES; i++)
        run_recorder(w, x->recorders[i]);
    if (loop_again(&x->loop))
        dispatch_ready(w);
    connection_free_buried(x);
    handshakes_check(x);
    watch_memory(w);
    context_leave_out_stall(x);
}

static bool recorders_are_done(const struct context *x)
{
    for (unsigned i = 0; i < RECORD_MODES; i++)
        if (x->recorders[i] && !recorder_is_done(x->recorders[i]))
            return false;
    return true;
}

bool worker_is_done(const struct worker *w)
{
    const struct context *x = &w->context;

    return w->stopping || (x->draining && x->n_live == 0 &&
                           atomic_load_explicit(&x->n_connections, memory_order_relaxed) == 0 &&
                           recorders_are_done(x));
}

void worker_run(struct worker *w)
{
    while (!worker_is_done(w))
        worker_turn(w);
    worker_close(w);
    atomic_store(&w->ended, true);
    context_notify(&w->context);
}

/* --- beginning and end ---------------------------------------------------------------------- */

/* Closes connections that were handed over to this worker, which will never look at them. */
static void discard_handovers(struct worker *w)
{
    struct context *x = &w->context;
    struct source *s;
    bool some;

    do { /* one loop_wait() returns at most LOOP_EVENTS */
        some = false;
        (void)loop_wait(&x->loop, 0);
        for (; (s = loop_next(&x->loop)); some = true)
            if (s->kind == SOURCE_HANDOVER)
                handover_discard(x, (struct handover *)s);
    } while (some);
}

void worker_close(struct worker *w)
{
    discard_handovers(w);
    preface_close_all(&w->context);
    connection_close_all(&w->context);
    free_acceptors(w);
    recorder_deinit(&w->journal);
    recorder_deinit(&w->log);
    recorder_deinit(&w->console);
    display_deinit(&w->display);
}

void worker_free(struct worker *w)
{
    discard_handovers(w); /* handed over after the worker's end */
    worker_plan_free(atomic_load(&w->plan));
    context_deinit(&w->context);
    connection_pools_deinit(&w->context);
    free(w);
}

static void init_recorders(struct worker *w, struct sink *journal, struct sink *log,
                           struct sink *console)
{
    struct context *x = &w->context;

    recorder_init(&w->journal, x, RECORD_JOURNAL, journal);
    recorder_init(&w->log, x, RECORD_LOG, log);
    recorder_init(&w->console, x, RECORD_STDERR, console);
    x->recorders[RECORD_JOURNAL] = &w->journal;
    x->recorders[RECORD_LOG] = &w->log;
    x->recorders[RECORD_STDERR] = &w->console;
    display_init(&w->display);
    x->display = x->shared->show ? &w->display : NULL;
}

int worker_new(struct shared *shared, unsigned index, struct worker **ret)
{
    struct worker *w = calloc(1, sizeof *w);
    struct sink *journal = sink_journal_new(shared->journal_path),
                *log = sink_log_new(shared->committer), *console = sink_stderr_new();
    int r;

    if (!w || !journal || !log || !console) {
        sink_free(journal);
        sink_free(log);
        sink_free(console);
        free(w);
        return -ENOMEM;
    }
    w->index = index;
    w->trim.kind = TIMER_TRIM;
    connection_pools_init(&w->context);
    r = context_init(&w->context, shared);
    init_recorders(w, journal, log, console);
    if (r < 0) {
        worker_close(w);
        worker_free(w);
        return r;
    }
    *ret = w;
    return 0;
}
