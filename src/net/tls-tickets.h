/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include <openssl/ssl.h>

/*
 * The keys of session tickets. They are made here and never leave memory. A new one each hour
 * encrypts; the two before it still decrypt, and their tickets are renewed. So nobody who learns
 * the keys can read what was sent three hours before, and nothing outlives its server.
 *
 * May be used from any thread.
 */
struct tls_tickets;

/* Seconds, from any moment on. */
typedef uint64_t (*tls_seconds_fn)(void);

/* NULL: out of memory, or no random numbers. */
struct tls_tickets *tls_tickets_new(tls_seconds_fn now);
/* NULL is fine. */
void tls_tickets_free(struct tls_tickets *t);

/* Connections of the context use the keys, which have to outlive them. Takes the context's
 * SSL_CTX_set_app_data(). */
void tls_tickets_use(struct tls_tickets *t, SSL_CTX *context);
