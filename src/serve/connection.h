/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"
#include "net/peer.h"
#include "net/transport.h"
#include "record/event-log.h"
#include "serve/context.h"
#include "serve/input.h"
#include "serve/output.h"
#include "serve/recorder.h"
#include "serve/settings.h"

/*
 * One client.
 *
 *   OPEN ──► FINISHING ──► LINGERING ──► CLOSED
 *
 * OPEN: messages are read, recorded and answered. A peer that has half-closed is answered still. One
 * that takes nothing more is not, but what it sent is recorded to its end.
 *
 * FINISHING: nothing more is read. What is owed still goes out.
 *
 * LINGERING: our side is shut down, and the peer's is not. close() with unread input would send an
 * RST, and that can destroy replies on their way. What still comes is recorded, without a reply;
 * after an error, where it cannot be told what is a message, it is discarded. It ends with the
 * peer's end; or when a peer that had time to see ours ends a message; or at a deadline.
 *
 * CLOSED: the descriptor is gone. The memory follows at the end of the turn.
 *
 * Any state may go straight to CLOSED. A peer that is gone while its messages wait for the recorder
 * gives up its descriptor and its place at once: only the bytes wait on.
 */
enum connection_state {
    CONNECTION_OPEN,
    CONNECTION_FINISHING,
    CONNECTION_LINGERING,
    CONNECTION_CLOSED
};

enum {
    CONNECTION_DRAINING = 1 << 0, /* answers what has arrived, then ends */
    CONNECTION_DISCARDS = 1 << 1, /* what it sends is not recorded any more */
    CONNECTION_WAITING = 1 << 2,  /* for the recorder */
    CONNECTION_PLACED = 1 << 3,   /* counts in MaxConnections= */
    CONNECTION_COUNTED = 1 << 4,  /* and in MaxConnectionsPerAddress= */
};

/* An idle client has nothing but this. What every message touches comes first: with many
 * connections each begins with its lines gone from the processor's cache. */
struct connection {
    struct transport transport; /* .source is first, see worker.c; .source.state and .owner, the
                                   flags, are ours */
    struct settings *settings;  /* a reference */
    struct input input;
    struct output output;
    uint64_t active_ms; /* when the last message was complete, or the last reply taken; LINGERING:
                           when that began */
    union {
        struct timer timer;   /* at the nearest deadline or before it: connection_deadline() */
        struct waiter waiter; /* CONNECTION_WAITING: has no deadline */
    };
};

/* With hundreds of thousands of idle clients every word counts. */
_Static_assert(sizeof(struct connection) == 120, "nothing is lost to padding");

static inline enum connection_state connection_state(const struct connection *c)
{
    return (enum connection_state)c->transport.source.state;
}

/* Whether it has given back its descriptor and its place, and only its messages wait. */
static inline bool connection_is_gone(const struct connection *c)
{
    return c->transport.source.fd < 0;
}

/* An accepted, non-blocking socket on its way to become a connection, and what came with it. */
struct arrival {
    int fd;
    struct peer peer;
    struct settings *settings; /* a reference */
    bool counted;              /* in the address limit */
};

/* Takes over all of an arrival. registered: the socket is in this worker's loop, with another source.
 * 0; or a negative errno, and the arrival is still the caller's. */
int connection_open(struct context *x, const struct arrival *arrival, bool registered);

/* Closes an arrival that is not to become a connection, and gives back what came with it. */
void connection_turn_away(struct context *x, const struct arrival *arrival);

/* --- for its turns: conversation.c and turn.c --- */

/* What its input works with. */
struct exchange connection_exchange(struct context *x, struct connection *c);

/* For the log. */
struct event_about connection_about(const struct connection *c);

/* Every change of state, but the first. */
void connection_enter(const struct context *x, struct connection *c, enum connection_state state);

/* A message was complete, or a reply was taken. */
static inline void connection_was_active(const struct context *x, struct connection *c)
{
    c->active_ms = context_ms(x);
}

/* Gives the descriptor and the place back, since the peer is gone. */
void connection_depart(struct context *x, struct connection *c);

/* Waits for the recorder, and does so no more. */
void connection_wait(struct context *x, struct connection *c);
void connection_wait_no_more(struct context *x, struct connection *c);

/* The recorder has room for it: it has left the waiters. */
void connection_waited(struct context *x, struct connection *c);

/* Enters CLOSED, and lets go of everything but its memory. */
void connection_end(struct context *x, struct connection *c, bool reset);

/* Has the memory of one that has ended freed at the end of the turn, unless the ready list names it
 * still. */
void connection_bury(struct context *x, struct connection *c);

/* Ends one that needs memory which there is not, so that all others go on. */
void connection_shed(struct context *x, struct connection *c);

/* Says `error: REASON` behind the replies that are on their way, and takes nothing more. */
void connection_refuse(struct context *x, struct connection *c, const char *reason);

#define CONNECTION_LINGER_MS 2000 /* at most */
#define CONNECTION_GRACE_MS  250  /* for a peer that reads to see our end, and to end too */

/* TIMER_NEVER for an infinite span. */
static inline uint64_t span_after(uint64_t ms, uint64_t span)
{
    return span == TIMER_NEVER ? TIMER_NEVER : ms + span;
}

/* Whether it has used up its rate, and until when that lasts. */
static inline bool connection_is_limited(const struct connection *c)
{
    return c->input.bytes && c->input.session.status == SESSION_LIMITED;
}

static inline uint64_t connection_resume_ms(const struct connection *c)
{
    return session_resume_us(&c->input.session, &c->settings->rules) / 1000 + 1;
}

/* The nearest of all that may run out, in ms, or TIMER_NEVER. While replies are held, the peer is
 * not to blame, and nothing does; nor may an error overtake such a reply. */
uint64_t connection_deadline(const struct context *x, const struct connection *c);

/* Sees that the timer runs out by then. One that is armed too early costs one look when it runs out;
 * re-arming it with every message would cost more. */
void connection_arm(struct context *x, struct connection *c);

/* --- for the worker --- */

/* Has all connections of this worker answer what has arrived, and end. */
void connection_drain_all(struct context *x);

/* Ends all connections of this worker at once, and frees them. No turn may follow. */
void connection_close_all(struct context *x);

/* At the end of a turn: frees those that have ended. */
void connection_free_buried(struct context *x);
