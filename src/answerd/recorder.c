/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "answerd/connection.h"
#include "answerd/log.h"
#include "answerd/recorder.h"
#include "answerd/worker.h"
#include "base/macros.h"
#include "journal/entry.h"
#include "journal/stderr.h"

/* A missing journal is looked for again after 100 ms, then at twice the time, up to a second: it is
 * found within two seconds of its return. */
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   1000
#define STRAINED_MS      10
#define TELL_AGAIN_MS    100
/* A full journal is not waited for by its socket's edge. Whoever sleeps in epoll_wait(2) with that
 * socket registered is woken with every single entry that journald reads (unix(7): the sender's
 * unix_write_space(), the queue's peer_wait), and it is journald that pays: waking a thread on
 * another CPU takes it a seventh of what an entry costs altogether. So the socket is not in the loop
 * while journald works. A pause comes instead, in which journald reads a part of its queue, but not
 * all of it, at some 15 µs an entry; how many places the queue has is the most that it ever took at
 * once. Only when a pause made no room, since journald stands still, is the socket registered, for
 * one edge. EPOLL_CTL_ADD reports room that there is already, so that none is missed. */
#define PAUSE_MIN_US       UINT64_C(100)
#define PAUSE_MAX_US       UINT64_C(2000)
#define PAUSE_PER_PLACE_US 4
#define REPORT_AFTER_MS    1000 /* a journal that is full for a moment is how a busy one works */

void recorder_init(struct recorder *r, const char *name)
{
    r->source = (struct source){ .fd = -1, .kind = SOURCE_RECORDER };
    r->pause = (struct source){ .fd = -1, .kind = SOURCE_PAUSE };
    r->name = name;
    r->show_fd = -1;
    r->parked_tail = &r->parked;
    r->backoff_ms = BACKOFF_FIRST_MS;
}

void recorder_deinit(struct recorder *r)
{
    timer_cancel(&r->retry);
    r->pause.fd = close_fd(r->pause.fd);
    sink_deinit(&r->sink);
    buffer_free(&r->replies);
    buffer_free(&r->line);
    r->show_fd = close_fd(r->show_fd);
}

bool recorder_ready(const struct recorder *r)
{
    return r->sink.state == SINK_READY && r->troubled_ms == 0 &&
           r->sink.n_staged < SINK_BATCH_MAX && buffer_size(r->sink.bytes) < SINK_BATCH_BYTES;
}

void recorder_hold(struct recorder *r, struct connection *c, size_t size)
{
    r->held[r->n_held++] = (struct held_reply){ .connection = c, .size = size };
    c->n_held++;
}

/* All of them were held in one turn, and mostly just now. */
size_t recorder_held(const struct recorder *r, const struct connection *c)
{
    size_t size = 0;
    unsigned n = c->n_held;

    for (size_t i = r->n_held; n > 0 && i > r->first; i--)
        if (r->held[i - 1].connection == c) {
            size += r->held[i - 1].size;
            n--;
        }
    return size;
}

void recorder_extend(struct recorder *r, struct connection *c, size_t size)
{
    size_t i = r->n_held, behind = 0;
    uint8_t *end = buffer_tail(r->replies);

    while (r->held[i - 1].connection != c)
        behind += r->held[--i].size;
    if (behind > 0) {
        /* Others' replies make room. Without memory for it, these bytes are left out. */
        buffer_clear(r->line);
        if (buffer_append(&r->line, end - size, size) < 0) {
            buffer_truncate(r->replies, buffer_size(r->replies) - size);
            return;
        }
        memmove(end - behind, end - size - behind, behind);
        memcpy(end - size - behind, buffer_head(r->line), size);
    }
    r->held[i - 1].size += size;
}

void recorder_show(struct recorder *r, const struct record *record)
{
    if (r->show_fd < 0)
        r->show_fd = stderr_open();
    buffer_clear(r->line);
    if (r->show_fd >= 0 && entry_text(&r->line, record) == 0 &&
        buffer_append(&r->line, "\n", 1) == 0)
        (void)stderr_write(r->show_fd, buffer_head(r->line), buffer_size(r->line));
}

void recorder_park(struct worker *w, struct recorder *r, struct connection *c)
{
    timer_cancel(&c->timer);
    c->flags |= CONNECTION_PARKED;
    c->timer.expires = worker_ms(w);
    c->timer.next = NULL;
    *r->parked_tail = &c->timer;
    r->parked_tail = &c->timer.next;
}

/* They come before all that are on the ready list: those have had their share, or have just come. */
static void unpark_all(struct worker *w, struct recorder *r)
{
    struct source *first = NULL, **tail = &first;
    struct timer *t = r->parked, *next;

    r->parked = NULL;
    r->parked_tail = &r->parked;
    for (; t; t = next) {
        struct connection *c = CONTAINER_OF(t, struct connection, timer);

        next = t->next;
        t->next = NULL;
        if (!connection_unpark(w, c, worker_ms(w) - t->expires) || c->source.queued)
            continue;
        c->source.queued = true;
        *tail = &c->source;
        tail = &c->source.next;
    }
    if (first)
        loop_queue_first(&w->loop, first, tail);
}

static void forget_released(struct recorder *r)
{
    if (r->first < r->n_held)
        return;
    r->first = r->n_held = 0;
    if (r->replies && r->replies->capacity > 2 * (size_t)SINK_BATCH_BYTES)
        buffer_free(&r->replies);
    else
        buffer_clear(r->replies);
}

/* Lets the oldest n replies go, those of one connection in one piece. */
static void release(struct worker *w, struct recorder *r, size_t n)
{
    size_t end = r->first + n;

    while (r->first < end) {
        struct connection *c = r->held[r->first].connection;
        size_t size = 0;
        unsigned same = 0;

        for (; r->first < end && r->held[r->first].connection == c; r->first++, same++)
            size += r->held[r->first].size;
        /* There is no buffer while all replies are empty: Reply= in chunk framing. */
        connection_release(w, c, r->replies ? buffer_head(r->replies) : NULL, size, same);
        if (r->replies)
            buffer_consume(r->replies, size);
    }
    forget_released(r);
}

/* The sink can never take the oldest record: its message is not answered as if it were there. */
static void refuse(struct worker *w, struct recorder *r)
{
    struct held_reply *held = &r->held[r->first++];

    connection_refuse(w, held->connection, r->sink.refusal);
    if (r->replies)
        buffer_consume(r->replies, held->size);
    forget_released(r);
    sink_drop(&r->sink);
}

static void trouble_begins(struct worker *w, struct recorder *r)
{
    if (r->troubled_ms > 0)
        return;
    r->troubled_ms = MAX(worker_ms(w), UINT64_C(1));
    timer_cancel(&r->retry);
    atomic_fetch_add(&w->waiting, 1);
}

/* A journal that has just taken what waited is as good as full, and may have no room for the log's
 * word on it. */
static void tell_of_the_end(struct worker *w, struct recorder *r)
{
    if (r->untold_ms == 0)
        return;
    if (log_event(EVENT_JOURNAL_BACK, "the %s takes records again, after %.1f s", r->name,
                  (double)r->untold_ms / 1000))
        r->untold_ms = 0;
    else
        timer_set(&w->wheel, &r->retry, worker_ms(w) + TELL_AGAIN_MS);
}

static void trouble_ends(struct worker *w, struct recorder *r)
{
    if (r->troubled_ms == 0)
        return;
    if (r->reported)
        r->untold_ms = MAX(worker_ms(w) - r->troubled_ms, UINT64_C(1));
    r->troubled_ms = 0;
    r->reported = false;
    r->backoff_ms = BACKOFF_FIRST_MS;
    atomic_fetch_sub(&w->waiting, 1);
    timer_cancel(&r->retry);
}

/* False where it cannot be done. */
static bool pause_begins(struct worker *w, struct recorder *r)
{
    uint64_t us = r->places * PAUSE_PER_PLACE_US;
    struct itimerspec once = {
        .it_value.tv_nsec = 1000 * (long)MIN(MAX(us, PAUSE_MIN_US), PAUSE_MAX_US),
    };

    if (r->pause.fd < 0) {
        r->pause.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (r->pause.fd >= 0 && loop_add(&w->loop, &r->pause, EPOLLIN) < 0)
            r->pause.fd = close_fd(r->pause.fd);
    }
    return r->pause.fd >= 0 && timerfd_settime(r->pause.fd, 0, &once, NULL) == 0;
}

/* For one edge; false where it cannot be done. A regular file cannot be waited for, and need not be:
 * it never blocks (epoll_ctl(2), EPERM). */
static bool watch_begins(struct worker *w, struct recorder *r)
{
    r->source.fd = r->sink.fd;
    return loop_add(&w->loop, &r->source, EPOLLOUT) == 0;
}

/* n: how many records the sink took before it was full. */
static void wait_for_room(struct worker *w, struct recorder *r, enum recorder_wait before, size_t n)
{
    uint64_t now = worker_ms(w);

    if ((n > 0 || before != WAIT_PAUSE) && pause_begins(w, r))
        r->wait = WAIT_PAUSE;
    else if (watch_begins(w, r))
        r->wait = WAIT_ROOM;
    else
        timer_set(&w->wheel, &r->retry, now + STRAINED_MS);
    if (!r->reported && !timer_armed(&r->retry))
        timer_set(&w->wheel, &r->retry, now + REPORT_AFTER_MS);
}

/* What the sink's state asks for, now that it has taken n records more. */
static void follow_up(struct worker *w, struct recorder *r, size_t n)
{
    enum recorder_wait before = r->wait;
    uint64_t now = worker_ms(w);

    r->wait = WAIT_NOTHING;
    switch (r->sink.state) {
    case SINK_READY:
        trouble_ends(w, r);
        tell_of_the_end(w, r);
        unpark_all(w, r);
        return;
    case SINK_BLOCKED:
        trouble_begins(w, r);
        wait_for_room(w, r, before, n);
        return;
    case SINK_STRAINED:
        trouble_begins(w, r);
        timer_set(&w->wheel, &r->retry, now + STRAINED_MS);
        return;
    case SINK_AWAY:
        trouble_begins(w, r);
        if (!r->reported)
            log_event(EVENT_JOURNAL_AWAY, "the %s is away: no message is answered until it is back",
                      r->name);
        r->reported = true;
        timer_set(&w->wheel, &r->retry, now + r->backoff_ms);
        r->backoff_ms = MIN(r->backoff_ms * 2, (uint64_t)BACKOFF_MAX_MS);
        return;
    case SINK_REFUSED: /* is no state that lasts: see flush() */
        return;
    }
}

/* Returns how many records the sink took. */
static size_t flush(struct worker *w, struct recorder *r)
{
    size_t taken = 0, n;

    for (;;) {
        n = sink_flush(&r->sink);
        taken += n;
        if (n > 0)
            release(w, r, n);
        if (r->sink.state != SINK_REFUSED)
            return taken;
        refuse(w, r);
    }
}

static void hand_over(struct worker *w, struct recorder *r)
{
    size_t n = flush(w, r);

    if (r->sink.state == SINK_BLOCKED)
        r->places = MAX(r->places, n);
    if (n > 0 && r->troubled_ms > 0 && !r->reported) {
        r->troubled_ms = worker_ms(w); /* it is slow, but not blocked */
        timer_cancel(&r->retry);
    }
    follow_up(w, r, n);
}

void recorder_commit(struct worker *w, struct recorder *r)
{
    /* A sink in trouble is tried again when there is a reason to. */
    if (r->sink.n_staged > 0 && r->troubled_ms == 0)
        hand_over(w, r);
}

void recorder_open(struct worker *w, struct recorder *r)
{
    int error = sink_open(&r->sink);

    if (error == 0 && r->sink.n_staged > 0)
        hand_over(w, r);
    else
        follow_up(w, r, 0);
}

void recorder_dispatch(struct worker *w, struct recorder *r)
{
    r->source.ready = 0;
    if (r->wait != WAIT_ROOM)
        return;
    loop_remove(&w->loop, &r->source);
    hand_over(w, r);
}

void recorder_resume(struct worker *w, struct recorder *r)
{
    uint64_t expirations;

    (void)!read(r->pause.fd, &expirations, sizeof expirations);
    r->pause.ready = 0;
    if (r->wait == WAIT_PAUSE)
        hand_over(w, r);
}

static void report_blocked(struct worker *w, struct recorder *r)
{
    uint64_t ms = worker_ms(w) - r->troubled_ms;

    if (r->reported || ms < REPORT_AFTER_MS)
        return;
    r->reported = true;
    log_event(EVENT_JOURNAL_BLOCKED,
              "the %s has taken nothing for %.1f s: replies wait, and reading stops", r->name,
              (double)ms / 1000);
}

void recorder_retry(struct worker *w, struct recorder *r)
{
    switch (r->sink.state) {
    case SINK_READY:
        tell_of_the_end(w, r);
        return;
    case SINK_BLOCKED:
        report_blocked(w, r);
        if (r->wait == WAIT_NOTHING)
            hand_over(w, r);
        return;
    case SINK_STRAINED:
        report_blocked(w, r);
        hand_over(w, r);
        return;
    case SINK_AWAY:
        recorder_open(w, r);
        return;
    case SINK_REFUSED:
        return;
    }
}
