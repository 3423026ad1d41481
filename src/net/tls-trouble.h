/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "net/openssl.h"

/*
 * What went wrong in a client's stream. OpenSSL tells it only to callbacks, while it happens.
 */
struct tls_trouble {
    X509 *certificate; /* the one that was not accepted; NULL: all were */
    int error;         /* X509_V_ERR_*: why not */
    int depth;         /* its place in the chain; 0: the server's own */
    int alert;         /* the server's last fatal alert (RFC 8446, 6.2), or 0 */
    bool asked;        /* the server asked for a certificate, and we had none */
};

/* Notes the troubles of all streams of this context. verifies: the server's certificate is
 * verified. 0 or -ENOMEM. */
int tls_trouble_watch(SSL_CTX *context, bool verifies);

/* Borrowed from the stream; NULL: no trouble was noted. */
const struct tls_trouble *tls_trouble_of(const SSL *ssl);
