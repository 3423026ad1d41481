/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/timer.h"
#include "journal/sink.h"
#include "net/loop.h"

struct connection;
struct worker;

/*
 * Group commit: a sink, and the replies that wait for it.
 *
 * During a turn of the loop every connection stages its records here, and leaves their replies. At
 * the end of the turn the batch goes to the sink, and the replies of what the sink took go to their
 * connections. While the sink does not take everything, nothing more is staged: connections that
 * have something to record are parked, which is to say that nobody reads from their sockets, until
 * the whole batch is gone.
 */

/* What a recorder waits for whose sink is full. */
enum recorder_wait {
    WAIT_NOTHING,
    WAIT_PAUSE, /* the timerfd: the sink is at work */
    WAIT_ROOM,  /* the sink's edge: it stands still */
};

/* One staged record's reply. */
struct held_reply {
    struct connection *connection;
    size_t size;
};

struct recorder {
    struct source source; /* the sink's descriptor, in WAIT_ROOM only; first, see worker.c */
    struct source pause;  /* a timerfd */
    struct timer retry;
    struct sink sink;
    struct buffer *replies; /* of held[], in order */
    struct buffer *line;    /* scratch */
    int show_fd;            /* of recorder_show(); -1: not open */
    struct held_reply held[SINK_BATCH_MAX];
    size_t first, n_held;                /* in held[]: those not yet released */
    struct timer *parked, **parked_tail; /* connections, by their timers; .expires: since when */
    enum recorder_wait wait;
    size_t places;        /* in the journal's queue, as far as is known */
    uint64_t troubled_ms; /* since when the sink takes nothing; 0: it does */
    uint64_t
        untold_ms; /* how long a trouble was that is over, and that the log does not tell of yet */
    uint64_t backoff_ms;
    bool reported; /* that it takes nothing */
    const char *name;
};

/* Everything but the sink, which the caller initializes. name: what the log calls it; a static
 * text. */
void recorder_init(struct recorder *r, const char *name);
void recorder_deinit(struct recorder *r);

/* Opens the sink and registers it; when that fails, tries again by itself, and says so. */
void recorder_open(struct worker *w, struct recorder *r);

/* Whether records can be staged now. */
bool recorder_ready(const struct recorder *r);

/* Notes that the reply of the record just staged are the last `size` bytes of r->replies. */
void recorder_hold(struct recorder *r, struct connection *c, size_t size);

/* Moves the last `size` bytes of r->replies, which answer no record, behind the last reply held for
 * the connection, which has one: others may have staged records since. */
void recorder_extend(struct recorder *r, struct connection *c, size_t size);

/* Bytes of the replies that are held for this connection. */
size_t recorder_held(const struct recorder *r, const struct connection *c);

/* Shows a record on standard error as well, if that can be done without waiting. */
void recorder_show(struct recorder *r, const struct record *record);

/* Parks a connection until recorder_ready(). It has no deadline meanwhile, and its timer, which is
 * not armed, is its link in the list: events can still queue it, so that replies go out. */
void recorder_park(struct worker *w, struct recorder *r, struct connection *c);

/* Hands over the batch, as far as the sink takes it, and lets the replies go. */
void recorder_commit(struct worker *w, struct recorder *r);

/* The descriptor has news; the pause is over; the retry timer has run out. */
void recorder_dispatch(struct worker *w, struct recorder *r);
void recorder_resume(struct worker *w, struct recorder *r);
void recorder_retry(struct worker *w, struct recorder *r);
