/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/macros.h"
#include "net/openssl.h"
#include "net/tls-pem.h"
#include "net/tls-verify.h"

void tls_verify_free(struct tls_verify *v)
{
    X509_STORE_free(v->store);
    sk_X509_NAME_pop_free(v->names, X509_NAME_free);
    *v = (struct tls_verify){ 0 };
}

static int add_authority(struct tls_verify *v, X509 *certificate)
{
    X509_NAME *name = X509_NAME_dup(X509_get_subject_name(certificate));

    if (!name || !sk_X509_NAME_push(v->names, name)) {
        X509_NAME_free(name);
        return -ENOMEM;
    }
    return X509_STORE_add_cert(v->store, certificate) == 1 ? 0 : -ENOMEM;
}

static int load_authorities(struct tls_verify *v, const char *file, struct tls_error *ret_error)
{
    _cleanup_(tls_pem_free_certificates) STACK_OF(X509) *all = NULL;
    int r;

    ret_error->setting = TLS_SETTING_CLIENT_CA;
    r = tls_pem_certificates(file, &all, &ret_error->text);
    for (int i = 0; i < sk_X509_num(all) && r == 0; i++)
        r = add_authority(v, sk_X509_value(all, i));
    return r;
}

static int load_revocations(struct tls_verify *v, const char *file, struct tls_error *ret_error)
{
    _cleanup_(tls_pem_free_revocations) STACK_OF(X509_CRL) *all = NULL;
    int r;

    ret_error->setting = TLS_SETTING_REVOKED;
    r = tls_pem_revocations(file, &all, &ret_error->text);
    for (int i = 0; i < sk_X509_CRL_num(all) && r == 0; i++)
        if (X509_STORE_add_crl(v->store, sk_X509_CRL_value(all, i)) != 1)
            r = -ENOMEM;
    return r;
}

/* Each certificate of ClientCA= is trusted by itself, even one that another authority has signed. */
int tls_verify_load(const struct tls_settings *settings, struct tls_verify *ret,
                    struct tls_error *ret_error)
{
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
    int r;

    *ret = (struct tls_verify){ .demand = settings->client_certificate };
    if (!settings->client_ca)
        return 0;
    ret->store = X509_STORE_new();
    ret->names = sk_X509_NAME_new_null();
    if (!ret->store || !ret->names)
        return -ENOMEM;
    r = load_authorities(ret, settings->client_ca, ret_error);
    if (r == 0 && settings->revoked) {
        flags |= X509_V_FLAG_CRL_CHECK;
        r = load_revocations(ret, settings->revoked, ret_error);
    }
    if (r == 0 && X509_STORE_set_flags(ret->store, flags) != 1)
        r = -ENOMEM;
    return r;
}

/* Whether the certificate still leads to an authority, is still in time, and is not revoked. */
static bool is_still_valid(const struct tls_verify *v, X509 *certificate)
{
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    bool valid = check && X509_STORE_CTX_init(check, v->store, certificate, NULL) == 1 &&
                 X509_STORE_CTX_set_default(check, "ssl_client") == 1 &&
                 X509_verify_cert(check) == 1;

    X509_STORE_CTX_free(check);
    ERR_clear_error();
    return valid;
}

/*
 * A ticket has the client's certificate, and OpenSSL does not verify it again. Otherwise, a client
 * that comes back often enough could use an expired one for ever. A ticket has no certificates in
 * between. If they are needed, a full handshake follows.
 */
static SSL_TICKET_RETURN on_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                   size_t n, SSL_TICKET_STATUS status, void *userdata)
{
    const struct tls_verify *v = userdata;
    X509 *certificate;

    (void)ssl;
    (void)name;
    (void)n;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    certificate = SSL_SESSION_get0_peer(session);
    if (certificate && !is_still_valid(v, certificate))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

int tls_verify_use(const struct tls_verify *v, SSL_CTX *context)
{
    STACK_OF(X509_NAME) * names;

    if (!v->store || v->demand == TLS_CLIENT_NONE) {
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        return 0;
    }
    names = SSL_dup_CA_list(v->names);
    if (!names)
        return -ENOMEM;
    SSL_CTX_set0_CA_list(context, names);
    SSL_CTX_set1_cert_store(context, v->store);
    if (SSL_CTX_set_session_ticket_cb(context, NULL, on_ticket, (void *)v) != 1)
        return -ENOMEM;
    SSL_CTX_set_verify(context,
                       SSL_VERIFY_PEER |
                           (v->demand == TLS_CLIENT_REQUIRE ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       NULL);
    return 0;
}

/* Controls, those of UTF-8 too, could confuse whoever reads the name. */
static bool is_readable(const unsigned char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] < ' ' || text[i] == 0x7f ||
            (text[i] == 0xc2 && i + 1 < n && text[i + 1] < 0xa0))
            return false;
    return true;
}

static size_t take(const unsigned char *text, size_t n, char name[static TLS_NAME_MAX + 1])
{
    if (n == 0 || n > TLS_NAME_MAX || !is_readable(text, n))
        return 0;
    memcpy(name, text, n);
    name[n] = '\0';
    return n;
}

/* The most specific one is the last (RFC 6125). */
static size_t take_common_name(X509_NAME *subject, char name[static TLS_NAME_MAX + 1])
{
    int at = -1, last = -1, n;
    unsigned char *text;
    size_t size;

    while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0)
        last = at;
    if (last < 0)
        return 0;
    n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
    if (n < 0)
        return 0;
    size = take(text, (size_t)n, name);
    OPENSSL_free(text);
    return size;
}

static size_t take_subject(X509_NAME *subject, char name[static TLS_NAME_MAX + 1])
{
    BIO *text = BIO_new(BIO_s_mem());
    char *bytes;
    long n = 0;
    size_t size = 0;

    /* UTF-8 as it is. Controls are escaped. */
    if (text && X509_NAME_print_ex(text, subject, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        n = BIO_get_mem_data(text, &bytes);
    if (n > 0)
        size = take((unsigned char *)bytes, (size_t)n, name);
    (void)BIO_free(text);
    return size;
}

static bool is_ascii(const unsigned char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] >= 0x80)
            return false;
    return true;
}

/* The first alternative name of that kind: GEN_DNS, GEN_URI or GEN_EMAIL. */
static size_t take_alternative(X509 *certificate, int kind, char name[static TLS_NAME_MAX + 1])
{
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t size = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);
        const unsigned char *text;
        size_t n;

        if (one->type != kind)
            continue;
        text = ASN1_STRING_get0_data(one->d.ia5);
        n = (size_t)ASN1_STRING_length(one->d.ia5);
        if (is_ascii(text, n))
            size = take(text, n, name);
        break;
    }
    GENERAL_NAMES_free(all);
    return size;
}

size_t tls_verify_name(const SSL *ssl, enum tls_identity identity,
                       char name[static TLS_NAME_MAX + 1])
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    size_t size = 0;

    name[0] = '\0';
    if (!certificate || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE ||
        SSL_get_verify_result(ssl) != X509_V_OK)
        return 0;
    switch (identity) {
    case TLS_IDENTITY_CN:
        size = take_common_name(X509_get_subject_name(certificate), name);
        break;
    case TLS_IDENTITY_DNS:
        size = take_alternative(certificate, GEN_DNS, name);
        break;
    case TLS_IDENTITY_URI:
        size = take_alternative(certificate, GEN_URI, name);
        break;
    case TLS_IDENTITY_EMAIL:
        size = take_alternative(certificate, GEN_EMAIL, name);
        break;
    case TLS_IDENTITY_SUBJECT:
        size = take_subject(X509_get_subject_name(certificate), name);
        break;
    }
    ERR_clear_error();
    return size;
}
