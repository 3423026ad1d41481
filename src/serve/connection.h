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
 * OPEN: messages are read, recorded and answered. A peer that has half-closed is still answered. A
 * peer that takes nothing more is not answered, but what it sent is recorded to its end.
 *
 * FINISHING: nothing more is read. What is owed still goes out.
 *
 * LINGERING: our side is shut down, and the peer's is not. close() with unread input would send an
 * RST, and that can destroy replies on their way. What still comes is recorded, without a reply.
 * After an error nobody can tell what is a message: what comes then is discarded. The state ends
 * with the peer's end of stream; or at the end of a message, once the peer had time to see our end;
 * or at a deadline.
 *
 * CLOSED: the descriptor is gone. The memory follows at the end of the turn.
 *
 * Any state may go straight to CLOSED. A peer may go while its messages wait for the recorder or
 * for their rate. The connection then gives up its descriptor and its place at once, and only the
 * bytes wait on.
 */
enum connection_state {
    CONNECTION_OPEN,
    CONNECTION_FINISHING,
    CONNECTION_LINGERING,
    CONNECTION_CLOSED
};

enum {
    CONNECTION_DRAINING = 1 << 0, /* answers what has arrived, then ends */
    CONNECTION_DISCARDS = 1 << 1, /* what the peer sends is not recorded any more */
    CONNECTION_WAITING = 1 << 2,  /* for room in the recorder; what waits in a slot is a reply */
    CONNECTION_PLACED = 1 << 3,   /* counts in MaxConnections= */
    CONNECTION_COUNTED = 1 << 4,  /* and in MaxConnectionsPerAddress= */
};

/* An idle client has nothing but this. What every message touches comes first: where there are many
 * connections, none of this is in the processor's cache when a message comes. */
struct connection {
    struct transport transport; /* .source is first, see worker.c. Ours are .source.state, an enum
                                   connection_state, and .owner_flags, CONNECTION_* flags */
    struct settings *settings;  /* a reference */
    struct input input;
    struct output output;
    uint64_t active_ms; /* when the last message was complete, or the last reply was taken. In
                           LINGERING: when that state began */
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

/* Takes over all of an arrival. registered: the socket is in this worker's loop already, with
 * another source. 0; or a negative errno, and the arrival is still the caller's. */
int connection_open(struct context *x, const struct arrival *arrival, bool registered);

/* Closes an arrival that is not to become a connection, and gives back what came with it. */
void connection_turn_away(struct context *x, const struct arrival *arrival);

/* --- for its turns: conversation.c and turn.c --- */

/* What its input works with. */
struct exchange connection_exchange(struct context *x, struct connection *c);

/* For the log. */
struct event_about connection_about(const struct connection *c);

/* Changes the state, always to a later one. Nothing else does so. */
void connection_enter(const struct context *x, struct connection *c, enum connection_state state);

/* A message was complete, or a reply was taken. */
static inline void connection_was_active(const struct context *x, struct connection *c)
{
    c->active_ms = context_ms(x);
}

/* Gives the descriptor and the place back, since the peer is gone. */
void connection_depart(struct context *x, struct connection *c);

/* Puts it behind all others that wait for room in the recorder. It has no timer meanwhile. */
void connection_wait(struct context *x, struct connection *c);
/* Takes it out of those that wait. */
void connection_wait_no_more(struct context *x, struct connection *c);

/* The recorder has room for it, and has taken it out of the waiters. The time that it waited counts
 * against none of the peer's deadlines. */
void connection_waited(struct context *x, struct connection *c);

/* Enters CLOSED, and lets go of everything but its memory. What is unread or kept is discarded.
 * reset: see transport_close(). */
void connection_end(struct context *x, struct connection *c, bool reset);

/* Has the memory of a closed connection freed at the end of the turn. One that is still on the
 * ready list is left: it is buried when the list comes to it. */
void connection_bury(struct context *x, struct connection *c);

/* Tells the log that a message of this connection could not be recorded. */
void connection_tell_unrecorded(const struct connection *c, int error);

/* Ends a connection that needs more memory than there is, so that all others go on. */
void connection_shed(struct context *x, struct connection *c);

/* Says `error: REASON` behind the replies that are on their way, and takes nothing more. Where
 * nothing is ever sent, it ends at once by a reset: a sender that never reads sees that alone. */
void connection_refuse(struct context *x, struct connection *c, const char *reason);

#define CONNECTION_LINGER_MS 2000 /* the longest time in LINGERING */
#define CONNECTION_GRACE_MS  250  /* in which a peer that reads sees our end, and ends too */

/* Whether the peer has used up its RateLimit=, and messages wait for it. */
static inline bool connection_is_limited(const struct connection *c)
{
    return c->input.bytes && c->input.session.status == SESSION_LIMITED;
}

/* When its rate allows the next message. */
static inline uint64_t connection_resume_ms(const struct connection *c)
{
    return session_resume_us(&c->input.session, &c->settings->rules) / 1000 + 1;
}

/* Whether nothing is ever sent: Reply=none. */
static inline bool connection_is_mute(const struct connection *c)
{
    return c->settings->rules.mute;
}

/* Whether it is owed so much that nothing more is read from it. */
static inline bool connection_is_owed_enough(const struct connection *c)
{
    return output_size(&c->output) >= c->settings->output_limit;
}

/* The nearest deadline, in ms, or TIMER_NEVER. While replies are held there is none: the peer is
 * not to blame, and no error may overtake such a reply. Nor is a message late that is not read. */
uint64_t connection_deadline(const struct context *x, const struct connection *c);

/* Arms the timer for that deadline, unless it is armed for that time or an earlier one. A timer
 * that runs out too early costs one look; to arm it again with every message would cost more. */
void connection_arm(struct context *x, struct connection *c);

/* --- for the worker --- */

/* Has all connections of this worker answer what has arrived, and end. */
void connection_drain_all(struct context *x);

/* Ends all connections of this worker at once, and frees them; what they hold is discarded. No turn
 * may follow. */
void connection_close_all(struct context *x);

/* At the end of a turn: frees those that have ended. */
void connection_free_buried(struct context *x);
