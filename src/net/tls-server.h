/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "net/loop.h"
#include "net/tls.h"

/*
 * The server's side of TLS: certificates with their keys, whose clients are trusted, and what is
 * offered. Immutable once made, so that workers share it without locks. References are counted: a
 * connection keeps the one it began with, even after a reload.
 */

enum tls_client_certificate {
    TLS_CLIENT_NONE,    /* is not asked for */
    TLS_CLIENT_REQUEST, /* may be sent; if so, it must be valid */
    TLS_CLIENT_REQUIRE,
};

/* Which part of a verified client certificate is its name. */
enum tls_identity {
    TLS_IDENTITY_CN,
    TLS_IDENTITY_DNS,
    TLS_IDENTITY_URI,
    TLS_IDENTITY_EMAIL,
    TLS_IDENTITY_SUBJECT,
};

enum tls_version { TLS_1_2, TLS_1_3 };

#define TLS_NAME_MAX 256 /* the longest such name, in bytes */

/* The default of TLS 1.2, as OpenSSL takes it: those with forward secrecy and AEAD. TLS 1.3 has no
 * others. */
#define TLS_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/* A file with a certificate and those that lead to its issuer, and one with its key. */
struct tls_pair {
    char *certificate;
    char *key; /* NULL: the certificate's file has it */
};

/* A [TLS NAME] section. All paths are as they are opened. */
struct tls_settings {
    struct tls_pair *pairs; /* the first is for clients that name no server, or an unknown one */
    size_t n_pairs;
    char *client_ca; /* a file, or NULL */
    char *revoked;   /* a file with revocation lists, or NULL */
    enum tls_client_certificate client_certificate;
    enum tls_identity identity;
    enum tls_version min_version;
    char *ciphers, *cipher_suites, *groups; /* as OpenSSL takes them; NULL: the default */
    char **alpn;             /* protocols in order of preference, then NULL; or NULL */
    uint64_t handshake_ms;   /* TIMER_NEVER: no timeout */
    uint64_t max_handshakes; /* at the same time, on all workers */
};

/* The setting that an error is about. */
enum tls_setting {
    TLS_SETTING_ANY, /* none in particular */
    TLS_SETTING_CERTIFICATE,
    TLS_SETTING_KEY,
    TLS_SETTING_CLIENT_CA,
    TLS_SETTING_REVOKED,
    TLS_SETTING_CIPHERS,
    TLS_SETTING_CIPHER_SUITES,
    TLS_SETTING_GROUPS,
    TLS_SETTING_ALPN,
};

struct tls_error {
    enum tls_setting setting;
    size_t pair; /* for a certificate or a key: which one */
    char *text;  /* to free; names the file and what is wrong with it. NULL: memory is short */
};

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
 * reference: the server has to outlive it. */
struct tls *tls_server_accept(struct tls_server *server, struct source *s, bool is_unix);

/* After the handshake: the name in the client's verified certificate. Returns its size; 0: there is
 * none, or none that fits. */
size_t tls_server_client_name(const struct tls_server *server, const struct tls *t,
                              char name[static TLS_NAME_MAX + 1]);
