/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "record/event-log.h"
#include "serve/recorder.h"

#define MS UINT64_C(1000) /* in µs */

/* The recorder looks for a missing journal after 100 ms, then doubles the interval up to a second.
 * So it finds the journal within two seconds of its return. */
#define BACKOFF_FIRST_US (100 * MS)
#define BACKOFF_MAX_US   (1000 * MS)
#define STRAINED_US      (10 * MS)
#define TELL_AGAIN_US    (100 * MS)
/* A working journal is full for a moment now and then. That is not logged. */
#define REPORT_AFTER_US (1000 * MS)
/* journald needs about 15 µs per entry. A pause is shorter than journald needs for its whole
 * queue. */
#define PAUSE_MIN_US       UINT64_C(100)
#define PAUSE_MAX_US       UINT64_C(2000)
#define PAUSE_PER_PLACE_US 4

void recorder_init(struct recorder *r, struct context *x, enum record_mode mode, struct sink *sink)
{
    *r = (struct recorder){
        .context = x,
        .mode = mode,
        .sink = sink,
        .source = { .fd = -1, .kind = SOURCE_RECORDER },
        .deadline_us = RECORDER_NEVER,
        .backoff_us = BACKOFF_FIRST_US,
    };
    link_queue_init(&r->waiters);
}

static const char *place(const struct recorder *r)
{
    return record_mode_place(r->mode);
}

/* Reads the clock itself, since a pause is shorter than a step of the turn's clock. */
static uint64_t now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

bool recorder_admits(const struct recorder *r)
{
    return !r->waiters.first && recorder_has_room(r);
}

int recorder_stage(struct recorder *r, const struct record *record)
{
    int error = sink_stage(r->sink, record);

    r->n_unsubmitted += error == 0;
    return error;
}

void recorder_await(struct recorder *r, struct slot *slot, unsigned n)
{
    assert(n > 0 && r->end - r->first < SINK_RECORDS);
    r->awaiting[r->end++ % SINK_RECORDS] = (struct awaiting){ .slot = slot, .n = n };
}

void recorder_wait(struct recorder *r, struct waiter *w)
{
    assert(!link_linked(&w->link));
    w->since_ms = context_ms(r->context);
    link_queue_append(&r->waiters, &w->link);
}

void recorder_leave(struct recorder *r, struct waiter *w)
{
    link_queue_remove(&r->waiters, &w->link);
}

struct waiter *recorder_next(struct recorder *r)
{
    struct waiter *w;

    if (!r->waiters.first || !recorder_has_room(r))
        return NULL;
    w = CONTAINER_OF(r->waiters.first, struct waiter, link);
    recorder_leave(r, w);
    return w;
}

/* The oldest n records have arrived, or have failed. */
static void complete(struct recorder *r, size_t n, int error)
{
    while (n > 0) {
        struct awaiting *a = &r->awaiting[r->first % SINK_RECORDS];
        unsigned some = (unsigned)MIN((size_t)a->n, n);

        assert(r->first < r->end);
        if (error < 0 && !(a->slot && a->slot->owner))
            event_log(EVENT_RECORD_REFUSED, "%s cannot take a record: %s", place(r),
                      strerror(-error));
        if (a->slot)
            slot_complete(a->slot, &r->context->loop, some, error);
        n -= some;
        a->n -= some;
        r->first += a->n == 0;
    }
}

/* An outage is a period in which the sink does not take everything. */
static void outage_begins(struct recorder *r)
{
    if (r->outage_us > 0)
        return;
    r->outage_us = MAX(now_us(), UINT64_C(1));
    atomic_fetch_or(&r->context->outages, 1U << r->mode);
}

static void outage_ends(struct recorder *r)
{
    if (r->outage_us == 0)
        return;
    if (r->reported)
        r->untold_us = MAX(now_us() - r->outage_us, UINT64_C(1));
    r->outage_us = 0;
    r->reported = false;
    r->backoff_us = BACKOFF_FIRST_US;
    atomic_fetch_and(&r->context->outages, ~(1U << r->mode));
}

/* Logs the end of the outage. A journal that has just taken the backlog is nearly full, and may
 * have no room for this entry. Then it is retried later. */
static void tell_of_the_end(struct recorder *r)
{
    if (r->untold_us == 0)
        return;
    if (event_log(EVENT_SINK_BACK, "%s takes records again, after %.1f s", place(r),
                  (double)r->untold_us / 1e6))
        r->untold_us = 0;
    else
        r->deadline_us = now_us() + TELL_AGAIN_US;
}

static void report_outage(struct recorder *r)
{
    uint64_t us = now_us() - r->outage_us;

    if (r->reported || r->outage_us == 0 || us < REPORT_AFTER_US)
        return;
    r->reported = true;
    event_log(EVENT_SINK_BLOCKED,
              "%s has taken nothing for %.1f s: replies wait, and reading stops", place(r),
              (double)us / 1e6);
}

/* Registers the sink's descriptor for one edge. Returns false on failure. A regular file cannot be
 * registered, and need not be: it never blocks (epoll_ctl(2), EPERM). */
static bool watch(struct recorder *r)
{
    r->source.fd = r->sink->fd;
    r->source.ready = 0;
    return loop_add(&r->context->loop, &r->source, r->sink->events) == 0;
}

/* The sink is full. n: how many records it took before that. */
static void wait_for_room(struct recorder *r, size_t n)
{
    r->places = MAX(r->places, n);
    if (n > 0 || r->state != RECORDER_PAUSING) {
        uint64_t us = r->places * PAUSE_PER_PLACE_US;

        r->state = RECORDER_PAUSING;
        r->deadline_us = now_us() + MIN(MAX(us, PAUSE_MIN_US), PAUSE_MAX_US);
    } else if (watch(r)) {
        r->state = RECORDER_WATCHING;
        r->deadline_us = r->reported ? RECORDER_NEVER : r->outage_us + REPORT_AFTER_US;
    } else {
        r->state = RECORDER_STRAINED;
        r->deadline_us = now_us() + STRAINED_US;
    }
}

/* The sink is at work, and has completed n records. Its descriptor stays in the loop: it reports
 * batches, not records. */
static void wait_for_work(struct recorder *r, size_t n)
{
    bool goes_on = n > 0 || r->state != RECORDER_WORKING;

    r->watched = r->watched || watch(r);
    r->state = r->watched ? RECORDER_WORKING : RECORDER_STRAINED;
    if (goes_on) {
        r->deadline_us = now_us() + (r->watched ? REPORT_AFTER_US : STRAINED_US);
        outage_ends(r);
        tell_of_the_end(r);
    }
}

/* The sink has completed nothing for a while. */
static void work_is_late(struct recorder *r)
{
    if (r->untold_us > 0) {
        r->deadline_us = now_us() + REPORT_AFTER_US;
        tell_of_the_end(r);
        return;
    }
    outage_begins(r);
    r->outage_us = now_us() - REPORT_AFTER_US;
    report_outage(r);
}

static void wait_for_return(struct recorder *r)
{
    if (!r->reported)
        event_log(EVENT_SINK_AWAY, "%s is away: no message is answered until it is back", place(r));
    r->reported = true;
    r->state = RECORDER_AWAY;
    r->deadline_us = now_us() + r->backoff_us;
    r->backoff_us = MIN(r->backoff_us * 2, BACKOFF_MAX_US);
}

/* Does what the sink's state requires, after it took n more records. */
static void follow_up(struct recorder *r, size_t n)
{
    if (r->sink->state == SINK_WORKING) {
        wait_for_work(r, n);
        return;
    }
    if (r->sink->state != SINK_READY)
        outage_begins(r);
    /* A sink that takes some records is slow, but not stuck. */
    if (n > 0 && r->outage_us > 0 && !r->reported)
        r->outage_us = now_us();
    switch (r->sink->state) {
    case SINK_READY:
        r->state = RECORDER_TAKING;
        r->deadline_us = RECORDER_NEVER;
        outage_ends(r);
        tell_of_the_end(r);
        return;
    case SINK_WORKING:
        return;
    case SINK_BUSY:
        wait_for_room(r, n);
        report_outage(r);
        return;
    case SINK_STRAINED:
        r->state = RECORDER_STRAINED;
        r->deadline_us = now_us() + STRAINED_US;
        report_outage(r);
        return;
    case SINK_AWAY:
        wait_for_return(r);
        return;
    }
}

static void submit(struct recorder *r)
{
    size_t taken = 0, n;
    int error;

    r->n_unsubmitted = 0;
    do {
        n = sink_submit(r->sink, &error);
        complete(r, n, 0);
        if (error < 0)
            complete(r, 1, error);
        taken += n;
    } while (error < 0);
    follow_up(r, taken);
}

static void open_sink(struct recorder *r)
{
    if (sink_open(r->sink) < 0) {
        outage_begins(r);
        wait_for_return(r);
        return;
    }
    submit(r);
}

void recorder_need(struct recorder *r)
{
    if (r->state == RECORDER_CLOSED)
        open_sink(r);
}

void recorder_commit(struct recorder *r)
{
    /* If the sink is full, there is no point in trying now. */
    if (r->n_unsubmitted > 0 && r->state == RECORDER_TAKING)
        submit(r);
}

void recorder_dispatch(struct recorder *r)
{
    r->source.ready = 0;
    if (r->state == RECORDER_WATCHING)
        loop_remove(&r->context->loop, &r->source);
    if (r->state == RECORDER_WATCHING || r->state == RECORDER_WORKING)
        submit(r);
}

void recorder_check(struct recorder *r)
{
    if (r->deadline_us == RECORDER_NEVER || now_us() < r->deadline_us)
        return;
    r->deadline_us = RECORDER_NEVER;
    switch (r->state) {
    case RECORDER_TAKING:
        tell_of_the_end(r);
        break;
    case RECORDER_WORKING:
        work_is_late(r);
        break;
    case RECORDER_PAUSING:
    case RECORDER_STRAINED:
        submit(r);
        break;
    case RECORDER_WATCHING:
        report_outage(r);
        break;
    case RECORDER_AWAY:
        open_sink(r);
        break;
    case RECORDER_CLOSED:
        break;
    }
}

uint64_t recorder_sleeps_until(const struct recorder *r)
{
    if ((r->waiters.first && recorder_has_room(r)) ||
        (r->n_unsubmitted > 0 && r->state == RECORDER_TAKING))
        return 0;
    return r->deadline_us;
}

void recorder_deinit(struct recorder *r)
{
    for (; r->first < r->end; r->first++) {
        struct awaiting *a = &r->awaiting[r->first % SINK_RECORDS];

        if (a->slot)
            slot_complete(a->slot, &r->context->loop, a->n, -ECANCELED);
    }
    if (r->outage_us > 0)
        atomic_fetch_and(&r->context->outages, ~(1U << r->mode));
    if (!recorder_is_done(r))
        event_log(EVENT_DISCARDED, "discarded %zu unanswered record%s: %s did not take %s",
                  r->sink->n_waiting, r->sink->n_waiting == 1 ? "" : "s", place(r),
                  r->sink->n_waiting == 1 ? "it" : "them");
    sink_free(r->sink);
}
