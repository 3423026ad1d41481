/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "net/loop.h"
#include "net/tls-settings.h"
#include "net/tls.h"

/*
 * The server's side of TLS: certificates with their keys, whose clients are trusted, and what is
 * offered. Immutable once made, so that workers share it without locks. References are counted: a
 * connection keeps the one it began with, even after a reload.
 */

struct tls_server;

/* Reads all files. 0; or a negative errno and *ret_error. */
int tls_server_new(const struct tls_settings *settings, struct tls_server **ret,
                   struct tls_error *ret_error);

/* From any thread. The last unref frees it; NULL is fine. */
struct tls_server *tls_server_ref(struct tls_server *server);
void tls_server_unref(struct tls_server *server);

/* When the first of its certificates expires, and which file has it. */
time_t tls_server_expires(const struct tls_server *server, const char **ret_file);

/* A stream to a client that has just connected, or NULL: out of memory. The stream keeps no
 * reference: the server has to outlive it. mute: the client may never read, so it gets no ticket in
 * TLS 1.3. If that stayed unread, the client's close() would reset the connection, and destroy what
 * it has sent (tcp(7)). */
struct tls *tls_server_accept(struct tls_server *server, struct source *s, bool is_unix, bool mute);

/* Whether it asks clients for a certificate. */
bool tls_server_verifies(const struct tls_server *server);

/* After the handshake: the name in the client's verified certificate. Returns its size; 0: there is
 * none, or none that fits. */
size_t tls_server_client_name(const struct tls_server *server, const struct tls *t,
                              char name[static TLS_NAME_MAX + 1]);
