/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/macros.h"
#include "net/openssl.h"
#include "net/tls-certificates.h"
#include "net/tls-names.h"
#include "net/tls-pem.h"

/* A pair that is being loaded. */
struct loading {
    const struct tls_pair *files;
    STACK_OF(X509) * chain; /* the first is the server's own */
    EVP_PKEY *key;
    char *names;
};

static void free_loading(struct loading *l)
{
    tls_pem_free_certificates(&l->chain);
    tls_pem_free_key(&l->key);
    free(l->names);
}

void tls_certificates_free(struct tls_certificates *c)
{
    for (size_t i = 0; i < c->n; i++) {
        SSL_CTX_free(c->groups[i].context);
        X509_free(c->groups[i].certificate);
        free(c->groups[i].names);
    }
    free(c->groups);
    free(c->file);
    *c = (struct tls_certificates){ 0 };
}

static const struct tls_group *find(const struct tls_certificates *c, const char *name,
                                    unsigned flags)
{
    for (size_t i = 0; i < c->n; i++)
        if (X509_check_host(c->groups[i].certificate, name, 0, flags, NULL) == 1)
            return &c->groups[i];
    return NULL;
}

/* The name itself goes before a wildcard. */
static int on_name(SSL *ssl, int *alert, void *userdata)
{
    const struct tls_certificates *c = userdata;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct tls_group *g = NULL;

    (void)alert;
    if (name)
        g = find(c, name, X509_CHECK_FLAG_NO_WILDCARDS)
                ?: find(c, name, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    ERR_clear_error();
    if (!g)
        return SSL_TLSEXT_ERR_NOACK;
    return SSL_set_SSL_CTX(ssl, g->context) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int read_pair(struct loading *l, struct tls_error *ret_error)
{
    const char *key = l->files->key ?: l->files->certificate;
    X509 *own;
    int r;

    ret_error->setting = TLS_SETTING_CERTIFICATE;
    r = tls_pem_certificates(l->files->certificate, &l->chain, &ret_error->text);
    if (r < 0)
        return r;
    own = sk_X509_value(l->chain, 0);
    l->names = tls_names_of(own);
    if (!l->names)
        return -ENOMEM;
    ret_error->setting = TLS_SETTING_KEY;
    r = tls_pem_key(key, &l->key, &ret_error->text);
    if (r < 0)
        return r;
    if (X509_check_private_key(own, l->key) != 1)
        return openssl_refuse(&ret_error->text,
                              "%s: its key does not belong to the certificate in %s", key,
                              l->files->certificate);
    ret_error->setting = TLS_SETTING_CERTIFICATE;
    return 0;
}

/* The group with the names, which may be new; or NULL without memory. */
static struct tls_group *provide_group(struct tls_certificates *c, struct loading *l)
{
    struct tls_group *all, *g;

    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->groups[i].names, l->names) == 0)
            return &c->groups[i];
    all = reallocarray(c->groups, c->n + 1, sizeof *all);
    if (!all)
        return NULL;
    c->groups = all;
    g = &all[c->n];
    *g = (struct tls_group){ .context = openssl_context_new(TLS_server_method()) };
    if (!g->context)
        return NULL;
    g->certificate = sk_X509_value(l->chain, 0);
    (void)X509_up_ref(g->certificate);
    g->names = STEAL_PTR(l->names);
    c->n++;
    return g;
}

/* Notes when the first certificate of the chain expires, if none does before it. */
static int note_expiry(struct tls_certificates *c, const struct loading *l)
{
    for (int i = 0; i < sk_X509_num(l->chain); i++) {
        struct tm tm;
        time_t expires;
        char *file;

        if (ASN1_TIME_to_tm(X509_get0_notAfter(sk_X509_value(l->chain, i)), &tm) != 1)
            continue;
        expires = timegm(&tm);
        if (c->file && expires >= c->expires)
            continue;
        file = strdup(l->files->certificate);
        if (!file)
            return -ENOMEM;
        free(c->file);
        c->file = file;
        c->expires = expires;
    }
    return 0;
}

static int add_pair(struct tls_certificates *c, struct loading *l, struct tls_error *ret_error)
{
    const char *file = l->files->certificate;
    X509 *own = sk_X509_value(l->chain, 0);
    struct tls_group *g;
    int r;

    if (note_expiry(c, l) < 0)
        return -ENOMEM;
    g = provide_group(c, l);
    if (!g)
        return -ENOMEM;
    (void)sk_X509_shift(l->chain);
    r = SSL_CTX_use_cert_and_key(g->context, own, l->key, l->chain, 0);
    X509_free(own);
    if (r == 1)
        return 0;
    if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_NOT_REPLACING_CERTIFICATE)
        return openssl_refuse(
            &ret_error->text,
            "%s: a certificate above it has the same names and the same kind of key", file);
    return openssl_refuse(&ret_error->text, "%s: cannot be used: %s", file,
                          ERR_reason_error_string(ERR_peek_last_error()) ?: "it is damaged");
}

int tls_certificates_load(const struct tls_settings *settings, struct tls_certificates *ret,
                          struct tls_error *ret_error)
{
    *ret = (struct tls_certificates){ 0 };
    for (size_t i = 0; i < settings->n_pairs; i++) {
        _cleanup_(free_loading) struct loading l = { .files = &settings->pairs[i] };
        int r;

        ret_error->pair = i;
        r = read_pair(&l, ret_error);
        if (r == 0)
            r = add_pair(ret, &l, ret_error);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; ret->n > 1 && i < ret->n; i++) {
        (void)SSL_CTX_set_tlsext_servername_callback(ret->groups[i].context, on_name);
        (void)SSL_CTX_set_tlsext_servername_arg(ret->groups[i].context, ret);
    }
    return 0;
}
