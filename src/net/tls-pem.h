/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <openssl/x509.h>

/*
 * Reads files in PEM form. What else is in a file is skipped, so that one file may have a
 * certificate and its key.
 *
 * All return 0; or a negative errno and *ret_error, a string to free that names the file and what is
 * wrong with it. It is NULL if memory is short.
 */

/* One or more certificates, in the order of the file. Free with tls_pem_free_certificates(). */
int tls_pem_certificates(const char *file, STACK_OF(X509) * *ret, char **ret_error);
void tls_pem_free_certificates(STACK_OF(X509) * *certificates);

/* One or more revocation lists. Free with tls_pem_free_revocations(). */
int tls_pem_revocations(const char *file, STACK_OF(X509_CRL) * *ret, char **ret_error);
void tls_pem_free_revocations(STACK_OF(X509_CRL) * *lists);

/* The first private key. An encrypted one is an error: nobody is asked for a password. Free with
 * tls_pem_free_key(). */
int tls_pem_key(const char *file, EVP_PKEY **ret, char **ret_error);
void tls_pem_free_key(EVP_PKEY **key);
