/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/macros.h"
#include "net/loop.h"

/*
 * What both sides of TLS need of OpenSSL. Only files in this folder include it.
 */
struct tls;

/* A struct tls is an SSL. */
static inline SSL *tls_ssl(const struct tls *t)
{
    return (SSL *)t;
}

/* A new SSL_CTX with the settings of both sides, or NULL: out of memory. side: the method of one
 * side. */
SSL_CTX *openssl_context_new(const SSL_METHOD *side);

/* A stream on the source's socket, or NULL: out of memory. The caller has yet to set its side. The
 * streams that one thread makes must not be in use on two threads at the same time. */
SSL *openssl_stream_new(SSL_CTX *context, struct source *s, bool is_unix);

/* The source has moved in memory. */
void openssl_stream_move(SSL *ssl, struct source *s);

struct source *openssl_stream_source(const SSL *ssl);

/* Call before each operation on a stream. */
void openssl_stream_use(SSL *ssl);

/* The reason of the last failure on this thread, as a text that stays valid; or `otherwise`.
 * Forgets all failures. */
const char *openssl_reason(const char *otherwise);

/* Sets *ret_error, to free, and forgets all failures. -EINVAL; or -ENOMEM, and *ret_error is NULL. */
_printf_(2, 3) int openssl_refuse(char **ret_error, const char *format, ...);

/*
 * A peer may send handshake messages after the handshake: it asks for new keys, or, in TLS 1.2, for
 * another handshake, which is refused. Each costs much, so too many in a row end the stream. The
 * number counts from the last call of openssl_stream_has_data(): data has come.
 */
void openssl_stream_has_data(SSL *ssl);

/* Whether the operation in use has ended the stream for that: what is wrong, or NULL. */
const char *openssl_excess(void);

/* The errno of the last failure of a socket on this thread, which is then forgotten; or 0. OpenSSL
 * itself does not keep it. */
int openssl_take_socket_error(void);
