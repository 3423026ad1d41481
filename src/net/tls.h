/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "net/loop.h"

/*
 * TLS on the socket of a source, for both sides. tls-server.h and tls-client.h begin one.
 *
 * It keeps the source's readiness bits as transport.c does: they are what the kernel said last, and
 * EAGAIN clears them. After -EAGAIN, the cleared bit is the direction that the stream waits for. It
 * is not always the direction that was asked for: a read may have to write first.
 *
 * Bytes can wait inside, and no edge will come for them: see tls_has_bytes().
 */
struct tls;

/* A user that does not keep readiness bits sets them all before each call. */
#define TLS_READY_ALL (READY_IN | READY_OUT)

/* Continues the handshake. 0: it is done; -EAGAIN; or a negative errno, and the stream is
 * unusable. -EPROTO: *ret_error says what is wrong, as a text that stays valid. */
int tls_handshake(struct tls *t, const char **ret_error);

/* The number of bytes received, at most n; 0: the peer has ended its stream in an orderly way;
 * -EAGAIN; -ENODATA: the stream ended without that, so it may be incomplete, and replies may still
 * be sent; or another negative errno, and the stream is unusable. -EPROTO: the peer has broken the
 * protocol, or sent too many handshake messages in a row. */
ssize_t tls_recv(struct tls *t, void *bytes, size_t n);

/* After -EPROTO: what is wrong, as a text that stays valid. Of the last failure on this thread. */
const char *tls_reason(void);

/* Whether bytes wait inside, perhaps an incomplete record. */
bool tls_has_bytes(const struct tls *t);

/*
 * The number of bytes sent, at most n; -EAGAIN; or another negative errno, and the stream is
 * unusable. After -EAGAIN or fewer than n, a part of the rest may be on its way already: the next
 * call has to begin with the same bytes, and with at least as many.
 */
ssize_t tls_send(struct tls *t, const void *bytes, size_t n);

/* Tells the peer that no more will be sent (close_notify). 0: done, or the stream is unusable, and it
 * must not be called again; or -EAGAIN. */
int tls_end(struct tls *t);

/* The source has moved in memory. Its descriptor and bits are the same. */
void tls_move(struct tls *t, struct source *s);

/* Does not close the socket, and tells the peer nothing. NULL is fine. */
void tls_free(struct tls *t);
