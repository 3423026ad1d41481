/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/link.h"
#include "net/loop.h"
#include "record/sink.h"
#include "serve/context.h"
#include "serve/slot.h"

/*
 * A worker's way to a sink. It stages the records of a turn, submits them at its end, and completes
 * the slots of records that have arrived. A connection with something to record waits here in order
 * while there is no room: it is a waiter. A reply that waits for its record is different: it is a
 * slot, and `awaiting` says which records belong to which slot.
 *
 *              all taken                    a pause made no room
 *   TAKING ◄──────────────── PAUSING ────────────────────────────► WATCHING
 *    │  ▲  full, for a moment   ▲   still full                       │  │
 *    └──┼───────────────────────┴────────────────────────────────────┘  │
 *       └─────────────────────────────── all taken ─────────────────────┘
 *
 *   TAKING ◄──► WORKING for a sink that completes records by itself
 *   CLOSED until the first connection needs it
 *   any ──► STRAINED   the system lacks memory or files, or the sink cannot be watched
 *   any ──► AWAY       nothing answers
 *
 * After each attempt to submit or open, the sink's state decides the recorder's next state.
 *
 * While the journal is full, the recorder does not wait for EPOLLOUT on its socket. If a worker
 * sleeps in epoll_wait(2) with that socket registered, every entry that journald reads wakes the
 * worker (unix(7): the sender's unix_write_space(), the queue's peer_wait). journald pays for it:
 * waking a thread on another CPU takes a seventh of the total cost of an entry. So while journald
 * works, the socket is not in the loop. The recorder pauses instead. In a pause, journald reads
 * part of its queue, but not all of it. If a pause made no room, journald is stuck. Only then is
 * the socket registered, for one edge. EPOLL_CTL_ADD reports room that is already there, so no edge
 * is missed.
 */
enum recorder_state {
    RECORDER_CLOSED, /* not needed yet */
    RECORDER_TAKING,
    RECORDER_WORKING,  /* as TAKING, while the sink completes records: submit when it has */
    RECORDER_PAUSING,  /* the sink is full: submit again at the deadline */
    RECORDER_WATCHING, /* ... or when its descriptor reports room */
    RECORDER_STRAINED, /* submit again at the deadline */
    RECORDER_AWAY      /* open again at the deadline */
};

#define RECORDER_NEVER UINT64_MAX

/* Embedded in a connection that waits for room. */
struct waiter {
    struct link link;
    uint64_t since_ms; /* when it began to wait */
};

/* A run of records that belong to one slot. */
struct awaiting {
    struct slot *slot; /* NULL: no reply waits for them */
    unsigned n;
};

struct recorder {
    struct context *context;
    enum record_mode mode;
    struct source source; /* the sink's descriptor: in WATCHING, and from the first WORKING on */
    struct sink *sink;
    enum recorder_state state;
    uint64_t deadline_us; /* when to try again, on CLOCK_MONOTONIC; RECORDER_NEVER */
    uint64_t outage_us;   /* when the outage began; 0: no outage */
    uint64_t backoff_us;  /* interval between attempts to open a sink that is away */
    uint64_t untold_us;   /* length of an outage whose end is not logged yet; 0: none */
    bool watched;         /* from the first WORKING on */
    bool reported;        /* the outage was logged */
    size_t places;        /* size of the sink's queue: the most records it took at once */
    size_t n_unsubmitted; /* records staged since the last submit */

    struct awaiting awaiting[SINK_RECORDS]; /* oldest first; a ring, by number % SINK_RECORDS */
    uint64_t first, end;                    /* their numbers */
    struct link_queue waiters;
};

/* sink: the recorder owns it from now on. */
void recorder_init(struct recorder *r, struct context *x, enum record_mode mode, struct sink *sink);
/* Frees the sink and the records it has not taken. Completes all slots with -ECANCELED. */
void recorder_deinit(struct recorder *r);

/* Opens the sink if that has not been done. On failure it logs an event, and retries by itself. */
void recorder_need(struct recorder *r);

/* Whether a record can be staged now. */
static inline bool recorder_has_room(const struct recorder *r)
{
    return sink_room(r->sink) > 0;
}

/* Whether a new connection can stage a record: there is room, and no other connection waits. */
bool recorder_admits(const struct recorder *r);

/* Stages a copy of the record. 0; -EAGAIN: no room; -ENOMEM. */
int recorder_stage(struct recorder *r, const struct record *record);

/* Assigns the last n staged records to this slot. It is completed when they have arrived. NULL: no
 * reply waits for them. Every staged record is assigned by one call, in order. */
void recorder_await(struct recorder *r, struct slot *slot, unsigned n);

/* Adds a waiter after all others. */
void recorder_wait(struct recorder *r, struct waiter *w);

/* Removes a waiter. */
void recorder_leave(struct recorder *r, struct waiter *w);

/* If there is room for a record, removes the first waiter and returns it; otherwise NULL. */
struct waiter *recorder_next(struct recorder *r);

/* Call at the end of a turn: submits the staged records, if the sink takes any. */
void recorder_commit(struct recorder *r);

/* The sink's descriptor is ready: submits. */
void recorder_dispatch(struct recorder *r);

/* If the deadline has come, does what is due: submits, opens the sink, or logs an event. */
void recorder_check(struct recorder *r);

/* How long the worker may sleep: 0, RECORDER_NEVER, or a time in µs on CLOCK_MONOTONIC. */
uint64_t recorder_sleeps_until(const struct recorder *r);

/* Whether all staged records have arrived. */
static inline bool recorder_is_done(const struct recorder *r)
{
    return r->sink->n_waiting == 0;
}
