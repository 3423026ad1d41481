/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/tls-server.h"
#include "tls-wire.h"

/*
 * Our server of TLS and a client that shares no code with it, on a socketpair.
 */
struct served {
    SSL_CTX *context; /* the client's: change it before served_shake() */
    SSL *client;
    struct tls *server;
    struct source source;
    int client_fd, result;
    const char *reason;          /* if result is -EPROTO */
    char name[TLS_NAME_MAX + 1]; /* the client's verified name */
    char received[8];            /* by the client: "hi" */
};

/* A server with the pairs. Never fails, like all that follow. */
struct tls_server *served_by(const struct tls_settings *settings);

/* What is wrong with the settings, valid until the next call; *ret_setting is what it is about. */
const char *refused_by(const struct tls_settings *settings, enum tls_setting *ret_setting);

/* trusted: whose certificates the client accepts; NULL: anybody's. */
void served_open(struct served *s, struct tls_server *server, const struct identity *trusted);
void served_close(struct served *s);

/* The handshake, as far as it comes, and then two bytes for the client. Returns its result on the
 * server's side. session: NULL, or to be resumed. */
int served_shake(struct served *s, SSL_SESSION *session);

/* Whether the client is content, too, and received all. */
bool served_well(const struct served *s);
