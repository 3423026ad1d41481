/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <openssl/ssl.h>

#include "net/tls-settings.h"

/*
 * Whose clients are trusted, and what they are called.
 */
struct tls_verify {
    X509_STORE *store;           /* NULL: clients are not verified */
    STACK_OF(X509_NAME) * names; /* of the authorities, which clients are told */
    enum tls_client_certificate demand;
};

/* Reads the files. 0; or a negative errno and *ret_error. Call tls_verify_free() in both cases. */
int tls_verify_load(const struct tls_settings *settings, struct tls_verify *ret,
                    struct tls_error *ret_error);
void tls_verify_free(struct tls_verify *v);

/* Connections of the context are verified so, which has to outlive them. 0 or -ENOMEM. */
int tls_verify_use(const struct tls_verify *v, SSL_CTX *context);

/* The name in the client's verified certificate. Returns its size; 0: there is none, or none that
 * fits or is fit to be read. */
size_t tls_verify_name(const SSL *ssl, enum tls_identity identity,
                       char name[static TLS_NAME_MAX + 1]);
