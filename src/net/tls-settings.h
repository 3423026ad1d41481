/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * What the server's side of TLS is made of, as an administrator says it.
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
