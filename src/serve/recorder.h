/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/link.h"
#include "net/loop.h"
#include "record/batch.h"
#include "record/sink.h"
#include "serve/context.h"
#include "serve/slot.h"

/*
 * A worker's way to a sink: stages the records of a turn, submits them at its end, and completes the
 * slots of those that the sink has. Whoever has something to record while there is no room waits
 * here, in order.
 *
 *              all taken                    a pause made no room
 *   TAKING ◄──────────────── PAUSING ────────────────────────────► WATCHING
 *      │   full, for a moment   ▲   full again, after taking some      │
 *      └────────────────────────┴──────────────────────────────────────┘
 *
 *   any ──► STRAINED   the kernel has no memory      ──► any, after a while
 *   any ──► AWAY       nobody is there               ──► any, when it can be opened
 *
 * A full journal is not waited for by its socket's edge. Whoever sleeps in epoll_wait(2) with that
 * socket registered is woken with every single entry that journald reads (unix(7): the sender's
 * unix_write_space(), the queue's peer_wait), and it is journald that pays: waking a thread on
 * another CPU takes it a seventh of what an entry costs altogether. So the socket is not in the loop
 * while journald works. A pause comes instead, in which journald reads a part of its queue, but not
 * all of it. Only when a pause made no room, since journald stands still, is the socket registered,
 * for one edge. EPOLL_CTL_ADD reports room that there is already, so that none is missed.
 */
enum recorder_state {
    RECORDER_CLOSED, /* not needed so far */
    RECORDER_TAKING,
    RECORDER_PAUSING,
    RECORDER_WATCHING,
    RECORDER_STRAINED,
    RECORDER_AWAY
};

#define RECORDER_NEVER UINT64_MAX

/* Embedded in what waits for room. */
struct waiter {
    struct link link;
    uint64_t since_ms;
};

/* A run of records of one slot. */
struct awaiting {
    struct slot *slot; /* NULL: nobody waits for them */
    unsigned n;
};

struct recorder {
    struct context *context;
    struct source source; /* the sink's descriptor, in WATCHING only */
    struct sink *sink;
    enum recorder_state state;
    uint64_t deadline_us; /* when to look again, on CLOCK_MONOTONIC; RECORDER_NEVER */
    uint64_t stopped_us;  /* since when it does not take everything; 0: it does */
    uint64_t backoff_us;  /* until a sink that is away is looked for again */
    uint64_t untold_us;   /* how long a stop was that is over, and that the log has still to tell */
    bool reported;        /* that it stopped */
    size_t places;        /* in the sink's queue, as far as is known */
    size_t n_unsubmitted;

    struct awaiting awaiting[BATCH_RECORDS]; /* oldest first; a ring, by number % BATCH_RECORDS */
    uint64_t first, end;                     /* numbers of those */
    struct link_queue waiters;
};

/* sink: belongs to the recorder from now on. */
void recorder_init(struct recorder *r, struct context *x, struct sink *sink);
void recorder_deinit(struct recorder *r);

/* Opens the sink where that has not been done; when that fails, tries again by itself, and says
 * so. */
void recorder_need(struct recorder *r);

/* Whether a record can be staged now. */
static inline bool recorder_has_room(const struct recorder *r)
{
    return sink_room(r->sink) > 0;
}

/* Whether one who comes now can stage a record: nobody waits, and there is room. */
bool recorder_admits(const struct recorder *r);

/* 0; -EAGAIN: there is no room; -ENOMEM. */
int recorder_stage(struct recorder *r, const struct record *record);

/* The last n staged records are this slot's; NULL: nobody waits for them. */
void recorder_await(struct recorder *r, struct slot *slot, unsigned n);

/* Waits for room behind all others. */
void recorder_wait(struct recorder *r, struct waiter *w);

/* Waits no more. */
void recorder_leave(struct recorder *r, struct waiter *w);

/* The first that waits, if there is room for its record, and waits no more; or NULL. */
struct waiter *recorder_next(struct recorder *r);

/* At the end of a turn: submits what was staged, if the sink takes something. */
void recorder_commit(struct recorder *r);

/* The sink's descriptor has news. */
void recorder_dispatch(struct recorder *r);

/* Looks again if it is time to. */
void recorder_check(struct recorder *r);

/* Until when the worker may sleep, in µs on CLOCK_MONOTONIC: 0, RECORDER_NEVER, or a deadline. */
uint64_t recorder_sleeps_until(const struct recorder *r);

/* Whether all that was staged is where it should be. */
static inline bool recorder_is_done(const struct recorder *r)
{
    return r->sink->n_waiting == 0;
}
