/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "answerd/log.h"
#include "answerd/settings.h"
#include "base/buffer.h"
#include "base/timer.h"
#include "net/loop.h"
#include "net/peer.h"
#include "protocol/session.h"

struct worker;

/*
 * One client.
 *
 *   OPEN ──► FINISHING ──► LINGERING ──► CLOSED
 *
 * OPEN: messages are read and answered; the peer may have half-closed, then what it sent is
 * answered still. FINISHING: nothing more is read; what is to be sent still goes out. LINGERING:
 * our side is shut down, and what comes in is recorded without a reply until the peer closes too or a
 * deadline passes: close() with unread input would send an RST, and that destroys replies that the
 * peer has not read yet. Where the framing is lost, what comes in is no message, and is discarded.
 * CLOSED: the descriptor is gone; the memory follows when no list names the connection any more.
 *
 * A peer that takes no more replies, since it has closed or reset the connection, may have sent
 * messages before, which are recorded still: the connection stays what it is until recv() comes to
 * the end, and only its replies are thrown away. Where its messages have to wait, for the journal or
 * for their rate, they do so in `in`, and the socket is closed: .fd is -1 then, and the connection has
 * no place among those that are counted.
 *
 * It owns nothing but this struct while it is idle: `in` holds an unfinished message, or messages
 * that may not be answered yet, and `out` what the peer has not taken.
 */
enum connection_state {
    CONNECTION_OPEN,
    CONNECTION_FINISHING,
    CONNECTION_LINGERING,
    CONNECTION_CLOSED
};

enum {
    CONNECTION_EOF = 1 << 0,      /* recv() has nothing more to give */
    CONNECTION_PENDING = 1 << 1,  /* `in` may hold whole messages */
    CONNECTION_LIMITED = 1 << 2,  /* the rate limit: waits for the clock */
    CONNECTION_DRAINING = 1 << 3, /* answers what has arrived, then ends */
    CONNECTION_COUNTED = 1 << 4,  /* in the address limit */
    CONNECTION_ANSWERED = 1 << 5, /* something was sent since draining began */
    CONNECTION_PARKED = 1 << 6,   /* waits for the recorder */
    CONNECTION_GONE = 1 << 7,     /* the peer takes no replies: they are thrown away */
    CONNECTION_RESET = 1 << 8,    /* the stream was cut: what it leaves unfinished is no message */
    CONNECTION_BROKEN = 1 << 9,   /* the framing is lost: what comes is discarded */
    CONNECTION_REFUSED = 1 << 10, /* was told that a message cannot be recorded, and nothing more */
};

/* What every message touches comes first: with many connections each begins with its lines gone from
 * the processor's cache. */
struct connection {
    struct source source; /* first, see worker.c; .state is an enum connection_state */
    struct settings *settings;
    struct buffer *in;  /* .stamp: when its first byte came, ms */
    struct buffer *out; /* .stamp: when the peer last took something, ms; .scanned: see output.c */
    uint64_t active_ms; /* since when it is idle: its last message was complete, and its last reply
                           gone; LINGERING: when that began */
    struct session session;
    uint16_t n_held; /* replies that wait for their records: SINK_BATCH_MAX at the most */
    uint16_t flags;
    struct peer peer;
    struct timer timer; /* of all deadlines the nearest, or earlier: see deadline(); while
                           parked there is none, and it is the recorder's */
};

/* What an idle client costs, but for a share of the pool's chunk: with hundreds of thousands of
 * them every word counts. */
_Static_assert(sizeof(struct connection) == 120, "nothing is lost to padding");

static inline enum connection_state connection_state(const struct connection *c)
{
    return (enum connection_state)c->source.state;
}

/* For the log. */
static inline struct log_connection connection_about(const struct connection *c)
{
    return (struct log_connection){
        .peer = &c->peer,
        .listener = c->settings->name,
        .number = c->session.number,
    };
}

/* Readiness in which recv() has something to say. */
#define READY_INPUT (READY_IN | READY_PRI | READY_RDHUP | READY_HUP | READY_ERR)

/* A connection's share of a turn: so many recv(), then others come first. */
#define READS_PER_TURN 4

/* The events that a connection's socket is registered for, once and for ever. */
#define CONNECTION_EVENTS (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP)

/* Takes over an accepted, non-blocking socket, a reference to its settings, and its place in the
 * counts. registered: the socket is in this worker's loop already, under another source. 0; or a
 * negative errno, after which all of them are the caller's still. */
int connection_open(struct worker *w, int fd, const struct peer *peer, struct settings *settings,
                    bool counted, bool registered);

/* Closes an accepted socket that is not to become a connection, and gives back what came with
 * it. connection_give_up() also says that it could not become one, and why. */
void connection_give_back(struct worker *w, int fd, const struct peer *peer,
                          struct settings *settings, bool counted);
void connection_give_up(struct worker *w, int fd, const struct peer *peer,
                        struct settings *settings, bool counted, int error);

/* The loop has news, or the connection was on the ready list for another reason. */
void connection_dispatch(struct worker *w, struct connection *c);

/* The timer has run out. */
void connection_timeout(struct worker *w, struct connection *c);

/* `n` replies that were held for their records may go: these bytes. */
void connection_release(struct worker *w, struct connection *c, const uint8_t *bytes, size_t size,
                        unsigned n);

/* The oldest reply that is held must not go, since its record cannot be made: `error`, a negative
 * errno, is why. The peer is told so, and the connection ends. */
void connection_refuse(struct worker *w, struct connection *c, int error);

/* The recorder takes records again, after so many ms. False: the connection has ended meanwhile. */
bool connection_unpark(struct worker *w, struct connection *c, uint64_t ms);

/* Answers what has fully arrived, and ends. */
void connection_drain(struct worker *w, struct connection *c);

/* Ends at once. */
void connection_close(struct worker *w, struct connection *c);
