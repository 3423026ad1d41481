/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "net/loop.h"
#include "net/tls.h"

/*
 * The client's side of TLS: whom it trusts, and who it is. Threads may share it.
 */
struct tls_client_settings {
    const char *ca; /* a file of certificates, which alone are trusted; NULL: those of
                                     the system */
    const char *certificate, *key; /* files; NULL: none. Without a key, the certificate's file has
                                      it */
    const char *name;              /* the name that the server's certificate must have, and that is
                                     sent to it (SNI): a host name or an IP address; NULL: any */
    bool insecure;                 /* the server's certificate is not verified */
    bool resumes;                  /* uses the tickets of earlier connections */
};

struct tls_client;

/* Reads all files. 0; or a negative errno and *ret_error, a string to free that names the file or
 * the name, and what is wrong with it. It is NULL if memory is short. */
int tls_client_new(const struct tls_client_settings *settings, struct tls_client **ret,
                   char **ret_error);

/* No thread may use it or its streams any more. NULL is fine. */
void tls_client_free(struct tls_client *client);

/* The file of settings.ca, or NULL. Borrowed. */
const char *tls_client_ca(const struct tls_client *client);

/* A stream on a connected socket, or NULL: out of memory. tls_handshake() begins. */
struct tls *tls_client_connect(struct tls_client *client, struct source *s, bool is_unix);

/*
 * Right after -EPROTO from tls_handshake(): what was wrong, in one line to free that is safe to print. It
 * has the name, date or issuer that is to blame. NULL: memory is short. reason: what
 * tls_handshake() said.
 *
 * Also after -EPROTO from tls_recv(), with NULL as reason: a server of TLS 1.3 refuses a client's
 * certificate when the client's handshake is over.
 */
char *tls_client_explain(const struct tls_client *client, const struct tls *t, const char *reason);

/* Whether the handshake was a short one, by a ticket of an earlier connection. */
bool tls_client_resumed(const struct tls *t);
