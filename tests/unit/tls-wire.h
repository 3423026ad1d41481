/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "net/tls-client.h"

/*
 * Certificates, and a server of TLS that shares no code with ours, on a socketpair.
 */
struct identity {
    X509 *certificate;
    EVP_PKEY *key;
};

struct recipe {
    const char *name;   /* the common name; NULL: none */
    const char *names;  /* the alternative names, as in x509v3_config(5); NULL: none */
    const char *usage;  /* the extended key usage, likewise */
    long from, until;   /* in seconds from now; 0, 0: valid */
    bool is_ca, is_rsa; /* otherwise its key is ECDSA */
};

/* issuer: NULL: self-signed. Never returns failure, like all that follow. */
struct identity identity_new(const struct recipe *recipe, const struct identity *issuer);
void identity_free(struct identity *i);

/* A file in the folder of the test, which has these. Returns its path, valid until the end. */
const char *file_of_certificate(const char *name, const struct identity *i);
const char *file_of_key(const char *name, const struct identity *i, const char *password);
const char *file_of(const char *name, const char *text);

void folder_make(void);
void folder_remove(void);

SSL_CTX *server_new(const struct identity *i);

/* A stream: the server's side is OpenSSL's own. */
struct wire {
    SSL *server;
    struct source source;
    struct tls *client;
    int server_fd, result;
    const char *reason; /* if result is -EPROTO */
};

/* server: NULL: its socket is left alone. */
void wire_open(struct wire *w, SSL_CTX *server, struct tls_client *client);
void wire_close(struct wire *w);

/* Lets both sides go on until neither can. Returns the client's last result. */
int wire_shake(struct wire *w);
