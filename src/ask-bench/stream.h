/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ask-bench/crowd.h"

/*
 * The bytes of a client's connection: plain, or through TLS.
 *
 * With TLS, the stream clears the readiness bits of the client's source itself, as net/tls.h says.
 * A plain stream leaves that to its user.
 */

/* Begins TLS on a connected socket. 0 or -ENOMEM. */
int stream_begin(struct crowd *crowd, struct client *c);

/* Whether TLS has begun on the client's present connection. */
static inline bool stream_is_tls(const struct crowd *crowd, const struct client *c)
{
    return crowd->streams && crowd->streams[c - crowd->clients];
}

/* Continues the handshake. 0, -EAGAIN, or another negative errno: -EBADMSG if one of both sides
 * refuses the other. */
int stream_handshake(struct crowd *crowd, struct client *c);

/* The number of bytes, at most n; 0 at the end of the stream; or a negative errno. With TLS, also
 * -ENODATA: the stream ended without close_notify; and -EBADMSG: it broke the rules of TLS, or the
 * server refused the handshake afterwards. */
ssize_t stream_recv(struct crowd *crowd, struct client *c, void *bytes, size_t n);
ssize_t stream_send(struct crowd *crowd, struct client *c, const void *bytes, size_t n);

/* Whether stream_recv() with TLS may return bytes or an end although no event will come. */
bool stream_has_more(const struct crowd *crowd, const struct client *c);

/* Ends TLS, if it has begun, and tells the server so. The socket stays open. */
void stream_end(struct crowd *crowd, struct client *c);

/* Gives the TLS stream away with the socket, or NULL. */
struct tls *stream_steal(struct crowd *crowd, struct client *c);

/* At the end of a worker: ends the TLS of all clients. */
void stream_end_all(struct crowd *crowd);
