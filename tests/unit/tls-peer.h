/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

/*
 * The other end of a TLS stream, without a socket: the test decides when which bytes arrive.
 */

/* A new key and a self-signed certificate for "localhost", as two PEM files in a new folder. The
 * paths are valid until the next call. */
struct tls_files {
    char folder[32], certificate[64], key[64];
};
void tls_files_make(struct tls_files *f);
void tls_files_remove(const struct tls_files *f);

struct tls_peer {
    SSL *ssl;
    BIO *in, *out; /* owned by .ssl */
};

/* A client that trusts anybody. version: TLS1_2_VERSION or TLS1_3_VERSION. */
void tls_peer_begin(struct tls_peer *p, int version);
void tls_peer_end(struct tls_peer *p);

/* The bytes that it has to send. Returns their number; *ret is valid until the next call. */
size_t tls_peer_takes(struct tls_peer *p, const unsigned char **ret);

/* Gives it all bytes that have arrived at the socket. Returns whether the stream still goes on. */
bool tls_peer_hears(struct tls_peer *p, int fd);

/* Continues the handshake. Returns whether it is done. */
bool tls_peer_shakes(struct tls_peer *p);

/* Encrypts a text. */
void tls_peer_says(struct tls_peer *p, const char *text);

/* What it has received, decrypted: see stand_hear(). "$" at the end marks a close_notify, "!" a
 * failure or an alert. */
const char *tls_peer_received(struct tls_peer *p);
