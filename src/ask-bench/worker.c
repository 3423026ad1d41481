/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <sys/timerfd.h>

#include "ask-bench/client.h"
#include "ask-bench/stream.h"
#include "ask-bench/worker.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/wake.h"

/* The most operations of one kind before the loop looks at new events. */
#define BURST 64

/* The most connections in the making, of all workers. A server's backlog is often as short as 128,
 * and if it overflows, TCP waits for a second. */
#define CONNECT_WINDOW 128

/* The wait for last replies, beyond the timeout, so that late ones count as timeouts. */
#define LAST_GRACE_NS UINT64_C(100000000)
#define LINGER_NS                                                                                  \
    UINT64_C(1000000000)                   /* the wait for the end of connections that may be
                                              refused */
#define STOP_GRACE_NS UINT64_C(1000000000) /* the wait for replies in flight after SIGINT */

struct worker {
    const struct worker_task *task;
    struct crowd crowd;
    struct source wake, timer;
    uint64_t armed_ns;           /* the present setting of the timer */
    uint32_t step;               /* the present step of the run */
    uint32_t cursor;             /* the next client to start */
    uint32_t window;             /* clients that may be busy at the same time */
    uint64_t planned, n_planned; /* MODE_OPEN: messages due so far, and in total */
    uint64_t next_ns;            /* when the next message is due, or the next connection */
    uint64_t end_ns;             /* of the run; after that, of the wait for late replies */
    uint64_t cpu_start_ns;
    struct pacer ramp;
    bool lingering; /* waiting only to see whether the last replies were refusals */
    bool done;
};

static uint64_t later(uint64_t ns, uint64_t span_us)
{
    uint64_t result;

    if (span_us == SPAN_INFINITY || __builtin_mul_overflow(span_us, 1000, &span_us) ||
        __builtin_add_overflow(ns, span_us, &result))
        return UINT64_MAX;
    return result;
}

uint32_t worker_clients(const struct options *o, uint32_t count, uint32_t index)
{
    return (uint32_t)share(o->connections, count, index);
}

static int add_source(struct worker *w, struct source *s, int fd)
{
    s->fd = fd;
    s->kind = KIND_WORKER;
    return loop_add(&w->crowd.loop, s, EPOLLIN);
}

static int init(struct worker *w, const struct worker_task *t)
{
    const struct options *o = t->options;
    int fd, r;

    w->task = t;
    w->crowd = (struct crowd){
        .options = o,
        .message = t->message,
        .target = t->target,
        .sources = t->sources,
        .stats = t->stats,
        .tls = t->tls,
        .n_clients = worker_clients(o, t->count, t->index),
        .source = t->index,
        .source_step = t->count,
    };
    r = crowd_init(&w->crowd);
    if (r < 0)
        return r;
    fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = add_source(w, &w->timer, fd);
    if (r < 0)
        return r;
    w->next_ns = w->end_ns = UINT64_MAX;
    w->armed_ns = 0;
    return add_source(w, &w->wake, t->wake_fd);
}

static void settle(struct worker *w)
{
    STAT_SET(w->task->stats->settled, w->step);
    /* Fails only if the 64-bit counter is full. */
    wake(w->task->done_fd);
}

static bool settled(const struct worker *w)
{
    return w->task->stats->settled == w->step;
}

/* This worker's share of a limit for all workers. */
static uint32_t window(const struct worker *w, uint32_t all)
{
    return MAX(all / w->task->count, UINT32_C(4));
}

static void begin_connecting(struct worker *w)
{
    const struct worker_task *t = w->task;

    w->cursor = 0;
    w->window = window(w, CONNECT_WINDOW);
    w->ramp = (struct pacer){
        .start_ns = crowd_now(&w->crowd),
        .rate = t->options->ramp,
        .stride = t->count,
        .offset = t->index,
    };
    if (t->options->churn)
        w->cursor = w->crowd.n_clients;
}

/* MODE_OPEN: when the next message is due; UINT64_MAX if no more are due within the run. */
static uint64_t next_due(const struct worker *w)
{
    uint64_t due;

    if (w->planned >= w->n_planned)
        return UINT64_MAX;
    due = pacer_due(&w->crowd.pacer, w->planned);
    return due < w->end_ns ? due : UINT64_MAX;
}

static void begin_running(struct worker *w)
{
    const struct worker_task *t = w->task;
    const struct options *o = t->options;
    uint64_t messages = o->messages ? share(o->messages, t->count, t->index) : UINT64_MAX;

    w->cursor = 0;
    w->window = window(w, HOLD_WINDOW);
    if (o->mode != MODE_HOLD)
        w->cpu_start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    w->end_ns = o->mode == MODE_HOLD ? UINT64_MAX : later(t->control->start_ns, o->duration_us);
    w->crowd.budget = o->mode == MODE_CLOSED ? messages : 0;
    w->n_planned = o->mode == MODE_OPEN ? messages : 0;
    w->crowd.pacer = (struct pacer){
        .start_ns = t->control->start_ns,
        .rate = o->rate,
        .stride = t->count,
        .offset = t->index,
    };
    w->next_ns = next_due(w);
}

static void finish(struct worker *w)
{
    struct worker_stats *s = w->task->stats;
    uint64_t left = w->crowd.in_flight + w->crowd.owed;

    for (uint32_t i = 0; w->crowd.n_suspects > 0 && i < w->crowd.n_clients; i++)
        crowd_acquit(&w->crowd, &w->crowd.clients[i]);
    suspects_acquit_all(&w->crowd.suspects);
    STAT_ADD(s->counters.errors[ERROR_UNANSWERED], left);
    STAT_SET(s->cpu_ns, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - w->cpu_start_ns);
    w->done = true;
}

/* Connects more clients, as far as the ramp and the window allow. */
static void connect_more(struct worker *w)
{
    struct crowd *crowd = &w->crowd;
    bool hold = crowd->options->mode == MODE_HOLD;
    bool ramped = crowd->options->ramp > 0;

    w->next_ns = UINT64_MAX;
    for (unsigned i = 0; w->cursor < crowd->n_clients; i++) {
        struct client *c = &crowd->clients[w->cursor];
        uint64_t busy = crowd->connecting + (hold ? crowd->in_flight : 0);

        if (busy >= w->window)
            return;
        if (ramped && pacer_due(&w->ramp, w->cursor) > crowd_now(crowd)) {
            w->next_ns = pacer_due(&w->ramp, w->cursor);
            return;
        }
        if (i == BURST) {
            w->next_ns = 0;
            return;
        }
        (void)crowd_now(crowd);
        if (hold)
            client_owe(crowd, c);
        client_connect(crowd, c);
        w->cursor++;
    }
    /* Failed clients try again later. But with MODE_HOLD they do not, and each must have had its
     * answer. */
    if (!settled(w) && (hold ? crowd->connecting + crowd->in_flight + crowd->owed == 0
                             : crowd->untried == 0 || crowd->options->churn))
        settle(w);
}

/* MODE_CLOSED: clients send their first messages. Replies release later ones. */
static void start_more(struct worker *w)
{
    struct crowd *crowd = &w->crowd;

    for (unsigned i = 0; i < BURST && w->cursor < crowd->n_clients; i++) {
        (void)crowd_now(crowd);
        client_advance(crowd, &crowd->clients[w->cursor++]);
    }
    w->next_ns = w->cursor < crowd->n_clients ? 0 : UINT64_MAX;
}

/* MODE_OPEN: sends messages that are due. */
static void send_due(struct worker *w)
{
    struct crowd *crowd = &w->crowd;
    struct worker_stats *s = w->task->stats;

    for (unsigned i = 0; i < BURST && w->next_ns <= crowd_now(crowd); i++) {
        struct client *c = &crowd->clients[w->cursor];
        uint64_t late = crowd->now_ns - w->next_ns;

        if (late >= LATE_NS)
            STAT_ADD(s->counters.late, 1);
        if (late > STAT_GET(s->late_max_ns))
            STAT_SET(s->late_max_ns, late);
        client_owe(crowd, c);
        if (client_has_room(crowd, c))
            client_advance(crowd, c);
        w->cursor = w->cursor + 1 == crowd->n_clients ? 0 : w->cursor + 1;
        w->planned++;
        STAT_SET(s->planned, w->planned);
        w->next_ns = next_due(w);
    }
}

/* MODE_HOLD: one round of questions over the open connections. */
static void ask_more(struct worker *w)
{
    struct crowd *crowd = &w->crowd;

    w->next_ns = UINT64_MAX;
    for (unsigned i = 0; w->cursor < crowd->n_clients; w->cursor++) {
        struct client *c = &crowd->clients[w->cursor];

        if (crowd->in_flight >= w->window)
            return;
        if (c->source.state != CLIENT_OPEN)
            continue;
        if (++i == BURST) {
            w->next_ns = 0;
            return;
        }
        (void)crowd_now(crowd);
        client_owe(crowd, c);
        client_advance(crowd, c);
    }
    if (!settled(w) && crowd->in_flight == 0)
        settle(w);
}

static void begin_more(struct worker *w)
{
    if (w->step == STEP_CONNECT) {
        connect_more(w);
        return;
    }
    if (w->crowd.ending)
        return;
    switch (w->crowd.options->mode) {
    case MODE_CLOSED:
        start_more(w);
        break;
    case MODE_OPEN:
        send_due(w);
        break;
    case MODE_HOLD:
        ask_more(w);
        break;
    }
}

/* Sends no new messages. Those in flight may still be answered, and with MODE_OPEN those that were
 * due. */
static void begin_ending(struct worker *w, uint64_t grace_ns)
{
    struct crowd *crowd = &w->crowd;

    if (crowd->ending)
        return;
    /* Messages that are due but not begun count. Otherwise a generator that cannot keep up would go
     * unnoticed. */
    while (w->n_planned > 0 && w->next_ns < MIN(w->end_ns, crowd->now_ns))
        send_due(w);
    crowd->ending = true;
    crowd->budget = 0;
    w->n_planned = w->planned;
    w->next_ns = UINT64_MAX;
    w->cursor = crowd->n_clients;
    w->end_ns = crowd_now(crowd) + grace_ns;
    for (uint32_t i = 0; i < crowd->n_clients; i++)
        client_end(crowd, &crowd->clients[i]);
}

/* Ends a closed loop with a fixed number of messages if the server is gone or silent. */
static void give_up(struct worker *w)
{
    STAT_ADD(w->task->stats->counters.errors[ERROR_UNANSWERED], w->crowd.budget);
    begin_ending(w, 0);
}

static void follow_control(struct worker *w)
{
    uint32_t step = STAT_GET(w->task->control->step);

    if (step != w->step) {
        w->step = step;
        if (step == STEP_CONNECT)
            begin_connecting(w);
        else if (step == STEP_STOP)
            begin_ending(w, MIN(w->task->options->timeout_us * 1000, STOP_GRACE_NS));
        else
            begin_running(w);
    }
    if (w->crowd.ending && STAT_GET(w->task->control->hurry))
        w->end_ns = w->crowd.now_ns;
}

/* The time of the last sign of life from the server. */
static uint64_t last_sign(const struct worker *w)
{
    return MAX(w->task->stats->last_reply_ns, w->task->control->start_ns);
}

/* Whether a run with a fixed number of messages has begun them all. */
static bool all_sent(const struct worker *w)
{
    return w->crowd.options->messages > 0 && w->crowd.budget == 0 && w->planned == w->n_planned;
}

/* Ends the run once nothing is left to do, or its time is over. */
static void check_end(struct worker *w)
{
    struct crowd *crowd = &w->crowd;
    const struct options *o = crowd->options;
    uint64_t left;

    if (w->step == 0 || w->step == STEP_CONNECT)
        return;
    if (!crowd->ending && o->mode != MODE_HOLD) {
        if (crowd->now_ns >= w->end_ns || all_sent(w))
            begin_ending(w, o->timeout_us * 1000 + LAST_GRACE_NS);
        else if (crowd->budget > 0 && o->messages > 0 &&
                 crowd->now_ns - last_sign(w) > 2 * o->timeout_us * 1000)
            give_up(w);
    }
    if (!crowd->ending)
        return;
    left = crowd->in_flight + crowd->owed;
    if (left == 0 && crowd_suspects(crowd) > 0 && !w->lingering) {
        w->lingering = true;
        w->end_ns = MIN(w->end_ns, crowd->now_ns + LINGER_NS);
    }
    if (left + crowd_suspects(crowd) == 0 || crowd->now_ns >= w->end_ns)
        finish(w);
}

/* Sets the timer to the next start of something. Setting it discards an expiry that was not read
 * (timerfd_create(2)), so it need not be read. */
static void arm(struct worker *w)
{
    struct itimerspec when = { 0 };

    if (w->next_ns == UINT64_MAX || w->next_ns == w->armed_ns)
        return;
    w->armed_ns = w->next_ns;
    when.it_value.tv_sec = (time_t)(w->next_ns / 1000000000);
    when.it_value.tv_nsec = (long)(w->next_ns % 1000000000);
    (void)timerfd_settime(w->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* How long the loop may wait, in µs. */
static uint64_t timeout_us(struct worker *w)
{
    struct crowd *crowd = &w->crowd;
    uint64_t now = crowd->now_ns, ms = timer_wheel_next(&crowd->wheel), wait = INT_MAX;

    if (w->next_ns <= now)
        return 0;
    arm(w);
    if (ms != TIMER_NEVER)
        wait = ms > now / 1000000 ? ms - now / 1000000 : 0;
    if (w->end_ns != UINT64_MAX)
        wait = MIN(wait, w->end_ns > now ? DIV_ROUND_UP(w->end_ns - now, UINT64_C(1000000))
                                         : UINT64_C(0));
    return MIN(wait, (uint64_t)INT_MAX) * 1000;
}

static void expire_timers(struct worker *w)
{
    struct crowd *crowd = &w->crowd;
    struct timer *t;

    while ((t = timer_wheel_advance(&crowd->wheel, crowd->now_ns / 1000000)))
        if (t->kind == KIND_SUSPECT)
            suspects_timer(&crowd->suspects, crowd->now_ns);
        else
            client_timer(crowd, CONTAINER_OF(t, struct client, timer));
}

static int turn(struct worker *w)
{
    struct crowd *crowd = &w->crowd;
    bool open = crowd->options->mode == MODE_OPEN && w->step == STEP_RUN;
    struct source *s;
    int r;

    r = loop_wait(&crowd->loop, timeout_us(w));
    if (r < 0)
        return r;
    crowd->turn_ns = crowd_now(crowd);
    while ((s = loop_next(&crowd->loop))) {
        if (s->kind == KIND_CLIENT)
            client_event(crowd, CONTAINER_OF(s, struct client, source));
        else if (s->kind == KIND_SUSPECT)
            suspects_event(&crowd->suspects, CONTAINER_OF(s, struct suspect_connection, source));
        /* Many replies at once must not delay a planned message. */
        if (open && crowd->now_ns >= w->next_ns)
            send_due(w);
    }
    expire_timers(w);
    follow_control(w);
    begin_more(w);
    (void)crowd_now(crowd);
    check_end(w);
    STAT_ADD(w->task->stats->counters.busy_ns, crowd->now_ns - crowd->turn_ns);
    return 0;
}

int worker_run(const struct worker_task *task)
{
    struct worker w = { 0 };
    int r;

    r = init(&w, task);
    while (r >= 0 && !w.done)
        r = turn(&w);
    if (r < 0)
        return r;
    w.step = STEP_STOP;
    settle(&w);
    stream_end_all(&w.crowd);
    return 0;
}
