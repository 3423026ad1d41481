/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "net/loop.h"
#include "net/peer.h"
#include "net/socket.h"
#include "net/tls.h"

/*
 * A stream to one peer: receiving, sending, and what each direction waits for. Its users make no
 * system calls for the stream, and do not know whether it is TCP or UNIX, plain or TLS.
 *
 * Each direction ends once, independently of the other. The incoming direction ends with the peer's
 * end of stream, or an error cuts it. The outgoing direction ends when we shut it down, or when the
 * peer accepts no more data. A peer that is gone accepts no more data, but what it sent before can
 * still be received (tcp(7): received data survives a reset).
 */
enum {
    TRANSPORT_IN_ENDED = 1 << 0,   /* nothing more will be received */
    TRANSPORT_IN_CUT = 1 << 1,     /* ... and the stream did not end in an orderly way */
    TRANSPORT_OUT_ENDED = 1 << 2,  /* nothing more can be sent */
    TRANSPORT_OUT_WAITS = 1 << 3,  /* UNIX: registered for EPOLLOUT, after a send() found no room */
    TRANSPORT_OUT_UNUSED = 1 << 4, /* nothing was sent since transport_mark() */
    TRANSPORT_OUT_FAILED = 1 << 5, /* it ended with an error that ends the connection */
    TRANSPORT_UNIX = 1 << 6,       /* the socket is a UNIX stream; otherwise it is TCP */
    TRANSPORT_TLS = 1 << 7,        /* see transport_tls() */
};

struct transport {
    struct source source; /* .fd is -1 after closing */
    struct peer peer;     /* the client, which may be behind a proxy */
    uint8_t flags;
    uint8_t owner_flags; /* the owner's flags, here because there is room */
};

/* The TLS stream of a transport that has one. Most have none, so it has no place in the struct: its
 * owner puts the pointer in front of it in memory. */
static inline struct tls **transport_tls(struct transport *t)
{
    return (struct tls **)t - 1;
}

/* fd: a connected, non-blocking stream socket. The transport owns it from now on. kind: see struct
 * source. is_unix: whether it is a UNIX socket. All other flags start as 0, including the
 * owner's. */
void transport_init(struct transport *t, int fd, uint8_t kind, const struct peer *peer,
                    bool is_unix);

/* From now on, everything is sent and received through this TLS stream, on the same source. The
 * transport owns it. There must be room for transport_tls(). */
void transport_use_tls(struct transport *t, struct tls *tls);

/* Registers with the loop. registered: the descriptor is already registered, for another source. 0
 * or a negative errno. */
int transport_register(struct transport *t, struct loop *l, bool registered);

/* Whether transport_recv() may return bytes, an end or an error. */
static inline bool transport_readable(const struct transport *t)
{
    return t->source.ready & READY_INPUT && !(t->flags & TRANSPORT_IN_ENDED);
}

/* Whether the kernel has reported the end of the stream. Received data may still come before it. */
static inline bool transport_is_ending(const struct transport *t)
{
    return t->source.ready & (READY_RDHUP | READY_HUP | READY_ERR);
}

/* Whether the kernel has reported that the peer is gone. Anything we send would be lost. */
static inline bool transport_is_broken(const struct transport *t)
{
    return t->source.ready & (READY_ERR | READY_HUP);
}

/* Returns the number of bytes received, at most n; 0 if the incoming direction has ended (see the
 * flags); -EPROTO if it has ended because the peer broke TLS, and tls_reason() says how; or -EAGAIN
 * if nothing is there, and an edge will come. n: not 0. */
ssize_t transport_recv(struct transport *t, void *bytes, size_t n);

/* Whether there are bytes to receive. If not, an edge will come. The end of the stream counts as no
 * bytes. */
bool transport_has_bytes(struct transport *t);

/* Whether part of a TLS record has arrived and the rest has not. Only the rest makes it bytes to
 * receive. */
bool transport_is_within_record(const struct transport *t);

/* Makes the stream readable without an edge, so that the next transport_recv() asks the kernel. */
void transport_recheck(struct transport *t);

/* Whether transport_send() may send something. If not, an edge will come, or the outgoing direction
 * has ended. */
static inline bool transport_writable(const struct transport *t)
{
    return t->source.ready & READY_OUT && !(t->flags & TRANSPORT_OUT_ENDED);
}

/* Only for transport_send(): continues after a first send(2) that returned r and set errno. r: 0 if
 * there was no first one. */
size_t transport_send_on(struct transport *t, struct loop *l, const void *bytes, size_t n,
                         ssize_t r);

/* Sends as much as the kernel takes, and returns the number of bytes sent. If it is less than n, an
 * edge will come, or the outgoing direction has ended. n: not 0. */
static inline size_t transport_send(struct transport *t, struct loop *l, const void *bytes,
                                    size_t n)
{
    ssize_t r = 0;

    if (t->source.ready & READY_OUT && !(t->flags & (TRANSPORT_OUT_ENDED | TRANSPORT_OUT_WAITS |
                                                     TRANSPORT_OUT_UNUSED | TRANSPORT_TLS))) {
        r = socket_send(t->source.fd, bytes, n);
        if (r == (ssize_t)n)
            return n;
    }
    return transport_send_on(t, l, bytes, n, r);
}

/* From now on, TRANSPORT_OUT_UNUSED means that nothing was sent since this call. */
static inline void transport_mark(struct transport *t)
{
    t->flags |= TRANSPORT_OUT_UNUSED;
}

/* Gives up sending: the peer accepts no more data. */
void transport_abandon_output(struct transport *t);

/* Ends the outgoing direction. The peer sees the end after all data that was sent. False: there is
 * no room yet to say so. An edge will come; try again then. */
bool transport_shutdown(struct transport *t);

/* Bytes sent that have not reached the peer's kernel; the end of the stream counts as one (tcp(7),
 * SIOCOUTQ). On a UNIX stream: bytes that the peer has not read. 0 after closing. */
size_t transport_in_flight(const struct transport *t);

/* Bytes that have arrived but were not received; 0 once the incoming direction has ended. With TLS:
 * of the encrypted stream, without those that wait inside. */
size_t transport_unread(const struct transport *t);

/* Whether the peer's kernel has all data that was sent, so that closing destroys nothing. What a
 * UNIX peer has not read is in the peer's own queue, and our close() does not touch it. */
static inline bool transport_has_delivered(const struct transport *t)
{
    return t->peer.is_unix || transport_in_flight(t) == 0;
}

/* Ends the incoming direction here. Later data is not for the session. */
static inline void transport_cut(struct transport *t)
{
    t->flags |= TRANSPORT_IN_ENDED | TRANSPORT_IN_CUT;
}

/* Closes the socket. reset: sends an RST, and the kernel immediately frees data that the peer has
 * not taken (socket(7), SO_LINGER). Does nothing if already closed. */
void transport_close(struct transport *t, bool reset);
