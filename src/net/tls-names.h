/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <openssl/x509.h>

/* The names that a server's certificate is for, in a form in which equal sets of names are equal:
 * a string to free, or NULL: out of memory. */
char *tls_names_of(X509 *certificate);
