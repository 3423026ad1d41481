/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <time.h>

#include <openssl/ssl.h>

#include "net/tls-settings.h"

/*
 * The certificates of a server with their keys. Those with the same names have one SSL_CTX, in
 * which OpenSSL chooses by what the client can verify. Between names, the client's SNI chooses.
 */
struct tls_group {
    SSL_CTX *context;
    X509 *certificate; /* one of them */
    char *names;       /* see tls_names_of() */
};

struct tls_certificates {
    struct tls_group *groups; /* the first is for clients that name no server, or an unknown one */
    size_t n;
    time_t expires; /* when the first certificate does */
    char *file;     /* which file has it */
};

/* Reads the files of all pairs. 0; or a negative errno and *ret_error. Call
 * tls_certificates_free() in both cases. *ret may not move from then on. */
int tls_certificates_load(const struct tls_settings *settings, struct tls_certificates *ret,
                          struct tls_error *ret_error);
void tls_certificates_free(struct tls_certificates *c);
