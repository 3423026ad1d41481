/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/tls-client.h"

/*
 * The stream to the server, plain or with TLS: a non-blocking socket and its unsent bytes.
 */
struct stream {
    int fd;
    struct buffer *out;
    char peer[ADDRESS_TEXT_MAX]; /* the address of the server */
    int send_error;              /* a negative errno: no more can be sent; 0 */
    bool ended;                  /* no more will be received */
    bool refused;                /* ... because the server does not talk to us; see stream_why() */
    bool heard;                  /* something was received */
    char *why;                   /* how it ended, if that is known better than by an errno */

    struct tls *tls; /* NULL: plain */
    const struct tls_client *client;
    struct source source;            /* for tls */
    short receive_waits, send_waits; /* TLS: POLLIN or POLLOUT: what each waits for */
    bool more;                       /* TLS: the last read left bytes inside, perhaps */
};

/*
 * Connects to the first address that accepts. Tries all addresses of a name in order, each for at
 * most timeout_us (SPAN_INFINITY: the kernel's limit), handshake included. Looking up the name may
 * take longer. client: NULL: no TLS; otherwise it has to outlive the stream. If a handshake fails,
 * no other address is tried.
 *
 * 0; or a negative errno and *ret_error, a string to free, which names the addresses tried. It is
 * NULL if memory is short.
 */
int stream_open(struct stream *c, const struct address *address, int family, uint64_t timeout_us,
                struct tls_client *client, char **ret_error);

/* Also tells the server that TLS ends, unless bytes are left that it misses. */
void stream_close(struct stream *c);

/* Takes over the connection of another stream. Unsent bytes stay. */
void stream_take(struct stream *c, struct stream *from);

/* After -EAGAIN from an operation of TLS: POLLIN or POLLOUT. The bit that the operation cleared says
 * what it waits for. */
static inline short stream_waits_for(const struct stream *c)
{
    return c->source.ready & READY_OUT ? POLLIN : POLLOUT;
}

/* What to wait for, until there is something to send or receive. */
struct pollfd stream_poll(const struct stream *c);

/* Whether to receive, after poll(2) has returned these events. */
bool stream_is_readable(const struct stream *c, short events);

/* Whether to receive without poll(2): bytes wait inside. */
static inline bool stream_has_more(const struct stream *c)
{
    return c->tls && c->more && tls_has_bytes(c->tls);
}

/* Sends until the socket is full or nothing is left. Returns whether it sent anything. Keeps an
 * error in send_error. It is not final: replies that have arrived can still be read. */
bool stream_flush(struct stream *c);

/* Reads once. The number of bytes; 0 at the end of the stream; -EAGAIN; or a negative errno that
 * ended the connection. -ENODATA: TLS did not end in an orderly way. */
ssize_t stream_receive(struct stream *c, void *bytes, size_t room);

/* How the stream ended, for messages. error: what stream_receive() returned, or another errno.
 * Borrowed from the stream. */
const char *stream_why(const struct stream *c, int error);
