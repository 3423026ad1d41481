/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "net/loop.h"
#include "net/peer.h"
#include "net/socket.h"

/*
 * A stream to one peer: receive, send, and what each direction is waiting for. The code that uses
 * it makes no system call for the stream, and does not know whether it is TCP or UNIX.
 *
 * Each direction ends once, and on its own. The incoming one ends with the peer's end of stream, or
 * is cut by an error. The outgoing one ends when we shut it down, or when the peer takes nothing
 * more. A peer that is gone takes nothing more, but what it sent before can still be received
 * (tcp(7): data that has arrived outlives a reset).
 */
enum {
    TRANSPORT_IN_ENDED = 1 << 0,   /* nothing more will be received */
    TRANSPORT_IN_CUT = 1 << 1,     /* ... and the stream did not end by itself */
    TRANSPORT_OUT_ENDED = 1 << 2,  /* nothing more can be sent */
    TRANSPORT_OUT_WAITS = 1 << 3,  /* UNIX: registered for EPOLLOUT, since a send() found no room */
    TRANSPORT_OUT_UNUSED = 1 << 4, /* nothing was sent since transport_mark() */
    TRANSPORT_OUT_FAILED = 1 << 5, /* it ended by an error that ends the connection */
};

struct transport {
    struct source source; /* .fd is -1 once it is closed */
    struct peer peer;
    uint8_t flags;
    uint8_t owner_flags; /* the owner's flags: there is room for them here */
};

/* fd: a connected, non-blocking stream socket, which belongs to the transport from now on. kind:
 * see struct source. All flags begin as 0, the owner's too. */
void transport_init(struct transport *t, int fd, uint8_t kind, const struct peer *peer);

/* Registers with the loop. registered: the descriptor is in it already, with another source. 0 or a
 * negative errno. */
int transport_register(struct transport *t, struct loop *l, bool registered);

/* Whether transport_recv() may have bytes, an end or an error to give. */
static inline bool transport_readable(const struct transport *t)
{
    return t->source.ready & (READY_IN | READY_PRI | READY_RDHUP | READY_HUP | READY_ERR) &&
           !(t->flags & TRANSPORT_IN_ENDED);
}

/* Whether the kernel said that the stream has come to its end, behind what is yet to be
 * received. */
static inline bool transport_is_ending(const struct transport *t)
{
    return t->source.ready & (READY_RDHUP | READY_HUP | READY_ERR);
}

/* Whether the kernel said that the peer is gone: what is sent would reach nobody. */
static inline bool transport_is_broken(const struct transport *t)
{
    return t->source.ready & (READY_ERR | READY_HUP);
}

/* Bytes received, at most n; 0: the incoming direction has ended, see the flags; -EAGAIN: not now,
 * and an edge will come. n: not 0. */
ssize_t transport_recv(struct transport *t, void *bytes, size_t n);

/* Whether there are bytes to receive; if not, an edge will come. The end of the stream is none. */
bool transport_has_bytes(struct transport *t);

/* Makes it readable again without an edge, so that the next transport_recv() asks the kernel. */
void transport_recheck(struct transport *t);

/* Whether transport_send() may send something; if not, an edge will come, or the outgoing direction
 * has ended. */
static inline bool transport_writable(const struct transport *t)
{
    return t->source.ready & READY_OUT && !(t->flags & TRANSPORT_OUT_ENDED);
}

/* For transport_send() alone: goes on after a first send(2), which returned r and set errno. r: 0
 * where there was no first one. */
size_t transport_send_on(struct transport *t, struct loop *l, const void *bytes, size_t n,
                         ssize_t r);

/* Sends as much as goes. Returns the number of bytes gone. Fewer than n: an edge will come, or the
 * outgoing direction has ended. n: not 0. */
static inline size_t transport_send(struct transport *t, struct loop *l, const void *bytes,
                                    size_t n)
{
    ssize_t r = 0;

    if (t->source.ready & READY_OUT &&
        !(t->flags & (TRANSPORT_OUT_ENDED | TRANSPORT_OUT_WAITS | TRANSPORT_OUT_UNUSED))) {
        r = socket_send(t->source.fd, bytes, n);
        if (r == (ssize_t)n)
            return n;
    }
    return transport_send_on(t, l, bytes, n, r);
}

/* From now on TRANSPORT_OUT_UNUSED says that nothing was sent. */
static inline void transport_mark(struct transport *t)
{
    t->flags |= TRANSPORT_OUT_UNUSED;
}

/* Gives up sending: the peer takes nothing more. */
void transport_abandon_output(struct transport *t);

/* Ends the outgoing direction, so that the peer sees the end after all that was sent. */
void transport_shutdown(struct transport *t);

/* Bytes that were sent and have not reached the peer's kernel; the end of stream counts as one
 * (tcp(7), SIOCOUTQ). On a UNIX stream: those that the peer has not read. 0 where it is closed. */
size_t transport_in_flight(const struct transport *t);

/* Bytes that have arrived and were not received; 0 once the incoming direction has ended. */
size_t transport_unread(const struct transport *t);

/* Whether the peer's kernel has all that was sent, so that closing destroys nothing. What a UNIX
 * peer has not read is in its own queue, which our close() leaves alone. */
static inline bool transport_has_delivered(const struct transport *t)
{
    return t->peer.is_unix || transport_in_flight(t) == 0;
}

/* Ends the incoming direction here: what comes is not for the session any more. */
static inline void transport_cut(struct transport *t)
{
    t->flags |= TRANSPORT_IN_ENDED | TRANSPORT_IN_CUT;
}

/* Closes. reset: we send an RST, and what the kernel holds for a peer that does not take it is
 * freed at once (socket(7), SO_LINGER). Nothing where it is closed already. */
void transport_close(struct transport *t, bool reset);
