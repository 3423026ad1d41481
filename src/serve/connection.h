/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/timer.h"
#include "net/peer.h"
#include "net/transport.h"
#include "record/event-log.h"
#include "serve/context.h"
#include "serve/input.h"
#include "serve/origin.h"
#include "serve/output.h"
#include "serve/recorder.h"
#include "serve/settings.h"

/*
 * One client.
 *
 *   OPEN ──► FINISHING ──► LINGERING ──► CLOSED
 *
 * OPEN: messages are read, recorded and answered. After a half-close the peer still gets its
 * replies. A peer that accepts no more data gets none, but everything it sent is recorded.
 *
 * FINISHING: reading has stopped. Pending replies are still sent.
 *
 * LINGERING: our side is shut down, the peer's is not. close() with unread input would send an RST,
 * which can destroy replies in flight. Messages that still arrive are recorded, without a reply.
 * After an error, message boundaries are unknown, so later input is discarded. The state ends with
 * the peer's end of stream; or at the end of a message, once the peer had time to see our end; or
 * at a deadline.
 *
 * CLOSED: the descriptor is closed. The memory is freed at the end of the turn.
 *
 * Any state may go directly to CLOSED. A peer may go while its messages wait for the recorder or
 * for their rate. The connection then gives up its descriptor and its place immediately, and only
 * the bytes remain.
 */
enum connection_state {
    CONNECTION_OPEN,
    CONNECTION_FINISHING,
    CONNECTION_LINGERING,
    CONNECTION_CLOSED
};

enum {
    CONNECTION_DRAINING = 1 << 0, /* answers the input that has arrived, then ends */
    CONNECTION_DISCARDS = 1 << 1, /* the peer's input is no longer recorded */
    CONNECTION_WAITING = 1 << 2,  /* for room in the recorder; a reply waits in a slot instead */
    CONNECTION_PLACED = 1 << 3,   /* counts towards MaxConnections= */
    CONNECTION_COUNTED = 1 << 4,  /* and towards MaxConnectionsPerAddress= */
    CONNECTION_EXTENDED = 1 << 5, /* a struct extension is in front of it in memory */
    CONNECTION_ENDING = 1 << 6,   /* FINISHING: TLS waits for room to say that it ends */
};

/* All that an idle client needs. The fields that every message uses come first: with many
 * connections, none of this is in the CPU cache when a message arrives. */
struct connection {
    struct transport transport; /* .source is first, see worker.c. We use .source.state, an enum
                                   connection_state, and .owner_flags, CONNECTION_* flags */
    struct settings *settings;  /* a reference */
    struct input input;
    struct output output;
    uint64_t active_ms; /* when the last message was complete, or the last reply was taken. In
                           LINGERING: when that state began */
    union {
        struct timer timer;   /* at the nearest deadline or before it: connection_deadline() */
        struct waiter waiter; /* CONNECTION_WAITING: no deadline meanwhile */
    };
};

/* With hundreds of thousands of idle clients, every word counts. */
_Static_assert(sizeof(struct connection) == 120, "nothing is lost to padding");

static inline enum connection_state connection_state(const struct connection *c)
{
    return (enum connection_state)c->transport.source.state;
}

/* Whether it has given up its descriptor and its place, and only its messages remain. */
static inline bool connection_is_gone(const struct connection *c)
{
    return c->transport.source.fd < 0;
}

/* An accepted, non-blocking socket that will become a connection, with its peer and settings. */
struct arrival {
    int fd;
    struct peer peer;
    struct settings *settings; /* a reference */
    bool counted;              /* in the address limit */
    bool is_unix;              /* the socket; its client may be a TCP one, behind a proxy */
    struct origin *origin;     /* owned; NULL: nothing is known besides the peer */
    struct tls *tls;           /* owned, after its handshake; NULL: plain */
};

/* What only some connections need. */
struct extension {
    struct origin *origin; /* owned; NULL: nothing is known besides the peer */
    uint64_t record_ms;    /* when the unfinished TLS record began; 0: there is none */
    struct tls *tls;       /* for the transport, see transport_tls() */
};
_Static_assert(offsetof(struct extension, tls) + sizeof(struct tls *) == sizeof(struct extension),
               "the transport is next");

/* What is known about it besides its peer, or NULL. */
static inline const struct record_origin *connection_origin(const struct connection *c)
{
    const struct extension *e = (const struct extension *)c - 1;

    return c->transport.owner_flags & CONNECTION_EXTENDED && e->origin ? &e->origin->record : NULL;
}

/* The memory of a worker's connections. All connections have been freed before the latter. */
void connection_pools_init(struct context *x);
void connection_pools_deinit(struct context *x);

/* Calls fn for each connection of the worker, even a closed one that is not freed yet. fn may free
 * the one that it gets, but no other. */
void connection_for_each(struct context *x, void (*fn)(void *connection, void *userdata),
                         void *userdata);

/* Takes over all of an arrival. registered: the socket is already in this worker's loop, for
 * another source. 0; or a negative errno, and the caller still owns the arrival. */
int connection_open(struct context *x, const struct arrival *arrival, bool registered);

/* Logs that an arrival cannot become a connection: -ENOMEM, or what the kernel has refused. */
void connection_tell_not_taken(int error);

/* Closes an arrival that will not become a connection, and releases its resources. */
void connection_turn_away(struct context *x, const struct arrival *arrival);

/* --- for conversation.c and turn.c --- */

/* What its input works with. */
struct exchange connection_exchange(struct context *x, struct connection *c);

/* For the log. */
struct event_about connection_about(const struct connection *c);

/* Changes the state, always to a later one. This is the only place that does. */
void connection_enter(const struct context *x, struct connection *c, enum connection_state state);

/* A message was complete, or a reply was taken. */
static inline void connection_was_active(const struct context *x, struct connection *c)
{
    c->active_ms = context_ms(x);
}

/* Gives up the descriptor and the place, since the peer is gone. */
void connection_depart(struct context *x, struct connection *c);

/* Makes the connection wait for room in the recorder, after all others. It has no timer
 * meanwhile. */
void connection_wait(struct context *x, struct connection *c);
/* Removes it from the waiters. */
void connection_wait_no_more(struct context *x, struct connection *c);

/* The recorder has room for it, and has removed it from the waiters. The time it waited does not
 * count against the peer's deadlines. */
void connection_waited(struct context *x, struct connection *c);

/* Enters CLOSED, and releases everything but its memory. Unread and buffered input is discarded.
 * reset: see transport_close(). */
void connection_end(struct context *x, struct connection *c, bool reset);

/* Schedules a closed connection to be freed at the end of the turn. If it is still on the ready
 * list, this does nothing: it is buried when the loop comes to it. */
void connection_bury(struct context *x, struct connection *c);

/* Logs that a message of this connection could not be recorded. */
void connection_tell_unrecorded(const struct connection *c, int error);

/* Ends a connection that needs more memory than there is, so that all others can continue. */
void connection_shed(struct context *x, struct connection *c);

/* Sends `error: REASON` after the pending replies, and takes no more input. A mute connection is
 * reset immediately instead: a sender that never reads notices only that. */
void connection_refuse(struct context *x, struct connection *c, const char *reason);

#define CONNECTION_LINGER_MS 2000 /* the longest time in LINGERING */
#define CONNECTION_GRACE_MS  250  /* time for a peer that reads to see our end, and to end too */

/* Whether the peer has used up its RateLimit=, and has messages waiting. */
static inline bool connection_is_limited(const struct connection *c)
{
    return c->input.bytes && c->input.session.status == SESSION_LIMITED;
}

/* When the rate allows the next message. */
static inline uint64_t connection_resume_ms(const struct connection *c)
{
    return session_resume_us(&c->input.session, &c->settings->rules) / 1000 + 1;
}

/* Whether the peer never gets a reply: Reply=none. */
static inline bool connection_is_mute(const struct connection *c)
{
    return c->settings->rules.mute;
}

/* Whether so many reply bytes are pending that reading stops. */
static inline bool connection_is_owed_enough(const struct connection *c)
{
    return output_size(&c->output) >= c->settings->output_limit;
}

/* Only for TLS, in each turn of the connection: notes when an unfinished record began. */
void connection_note_record(const struct context *x, struct connection *c);

/* When the peer began a TLS record that is not complete, or 0. It may be longer than any message,
 * and none of it can be taken before its end. */
static inline uint64_t connection_record_ms(const struct connection *c)
{
    return c->transport.flags & TRANSPORT_TLS ? ((const struct extension *)c - 1)->record_ms : 0;
}

/* The nearest deadline in ms, or TIMER_NEVER. There is none while replies are held: the peer is not
 * to blame, and no error may overtake such a reply. Nor can a message be late that we do not
 * read. */
uint64_t connection_deadline(const struct context *x, const struct connection *c);

/* Arms the timer for that deadline, unless it is already armed for that time or earlier. A timer
 * that expires too early costs one check. Re-arming it with every message would cost more. */
void connection_arm(struct context *x, struct connection *c);

/* --- for the worker --- */

/* Makes all connections of this worker answer the input that has arrived, and end. */
void connection_drain_all(struct context *x);

/* Ends and frees all connections of this worker immediately. Their buffered input and replies are
 * discarded. No turn may follow. */
void connection_close_all(struct context *x);

/* At the end of a turn: frees the closed connections. */
void connection_free_buried(struct context *x);
