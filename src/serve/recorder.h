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
 * A worker's way to a sink: stages the records of a turn, submits them at its end, and completes
 * the slots of those that the sink has. A connection that has something to record while there is no
 * room waits here, in order: it is a waiter. A reply that waits for its record is another matter:
 * that is a slot, and `awaiting` says which records are whose.
 *
 *              all taken                    a pause made no room
 *   TAKING ◄──────────────── PAUSING ────────────────────────────► WATCHING
 *    │  ▲  full, for a moment   ▲   still full                       │  │
 *    └──┼───────────────────────┴────────────────────────────────────┘  │
 *       └─────────────────────────────── all taken ─────────────────────┘
 *
 *   CLOSED until the first connection needs it
 *   any ──► STRAINED   the system lacks memory or files, or the sink cannot be watched
 *   any ──► AWAY       nobody is there
 *
 * Each try to submit, or to open, leads to the state that the sink then asks for.
 *
 * While the journal is full, the recorder does not sleep until its socket has room. A worker that
 * sleeps in epoll_wait(2) with that socket registered is woken with every single entry that
 * journald reads (unix(7): the sender's unix_write_space(), the queue's peer_wait). It is journald
 * that pays: to wake a thread on another CPU takes it a seventh of what an entry costs altogether.
 * So the socket is not in the loop while journald works. The recorder makes a pause instead, in
 * which journald reads a part of its queue, but not all of it. When a pause made no room, journald
 * stands still. Only then is the socket registered, for one edge. EPOLL_CTL_ADD reports room that
 * there is already, so that none is missed.
 */
enum recorder_state {
    RECORDER_CLOSED, /* not needed so far */
    RECORDER_TAKING,
    RECORDER_PAUSING,  /* the sink is full: submit again at the deadline */
    RECORDER_WATCHING, /* ... or when its descriptor reports room */
    RECORDER_STRAINED, /* submit again at the deadline */
    RECORDER_AWAY      /* open again at the deadline */
};

#define RECORDER_NEVER UINT64_MAX

/* Embedded in what waits for room: a connection. */
struct waiter {
    struct link link;
    uint64_t since_ms; /* when it began to wait */
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
    uint64_t outage_us;   /* when the outage began; 0: there is none */
    uint64_t backoff_us;  /* from one look for a sink that is away to the next */
    uint64_t untold_us;   /* length of an outage whose end the log has yet to tell; 0: none */
    bool reported;        /* the log told of the outage */
    size_t places;        /* in the sink's queue: the most that it took at once */
    size_t n_unsubmitted; /* records staged since the last submit */

    struct awaiting awaiting[BATCH_RECORDS]; /* oldest first; a ring, by number % BATCH_RECORDS */
    uint64_t first, end;                     /* numbers of those */
    struct link_queue waiters;
};

/* sink: belongs to the recorder from now on. */
void recorder_init(struct recorder *r, struct context *x, struct sink *sink);
/* Frees the sink, with what it has not taken, and completes all slots with -ECANCELED. */
void recorder_deinit(struct recorder *r);

/* Opens the sink where that has not been done. When that fails, the log says so, and the recorder
 * tries again by itself. */
void recorder_need(struct recorder *r);

/* Whether a record can be staged now. */
static inline bool recorder_has_room(const struct recorder *r)
{
    return sink_room(r->sink) > 0;
}

/* Whether a connection that comes now can stage a record: none waits, and there is room. */
bool recorder_admits(const struct recorder *r);

/* Stages a record, which is copied. 0; -EAGAIN: there is no room; -ENOMEM. */
int recorder_stage(struct recorder *r, const struct record *record);

/* The n records staged last are this slot's: it is completed when they are where they should be.
 * NULL: no reply waits for them. Every staged record is given to one call, in order. */
void recorder_await(struct recorder *r, struct slot *slot, unsigned n);

/* Puts a waiter behind all others that wait for room. */
void recorder_wait(struct recorder *r, struct waiter *w);

/* Takes out a waiter. */
void recorder_leave(struct recorder *r, struct waiter *w);

/* If there is room for a record, takes out the first waiter and returns it; else NULL. */
struct waiter *recorder_next(struct recorder *r);

/* At the end of a turn: submits what was staged, if the sink takes something. */
void recorder_commit(struct recorder *r);

/* The sink's descriptor has news: submits. */
void recorder_dispatch(struct recorder *r);

/* If the deadline has come, does what was put off until then: submits, opens the sink, or tells the
 * log. */
void recorder_check(struct recorder *r);

/* Until when the worker may sleep, in µs on CLOCK_MONOTONIC: 0, RECORDER_NEVER, or a deadline. */
uint64_t recorder_sleeps_until(const struct recorder *r);

/* Whether all that was staged is where it should be. */
static inline bool recorder_is_done(const struct recorder *r)
{
    return r->sink->n_waiting == 0;
}
