/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "net/openssl.h"
#include "net/tls-server.h"

struct tls_server {
    atomic_uint references;
    SSL_CTX *context;
};

static int refuse(struct tls_error *ret_error, const char *file)
{
    ret_error->setting = TLS_SETTING_CERTIFICATE;
    if (asprintf(&ret_error->text, "%s: %s", file, openssl_reason("cannot be used")) < 0)
        ret_error->text = NULL;
    return -EINVAL;
}

int tls_server_new(const struct tls_settings *settings, struct tls_server **ret,
                   struct tls_error *ret_error)
{
    struct tls_server *server = calloc(1, sizeof *server);
    const char *key = settings->pairs[0].key ?: settings->pairs[0].certificate;

    *ret_error = (struct tls_error){ 0 };
    if (!server)
        return -ENOMEM;
    server->references = 1;
    server->context = openssl_context_new(TLS_server_method());
    if (!server->context) {
        free(server);
        return -ENOMEM;
    }
    if (SSL_CTX_use_certificate_chain_file(server->context, settings->pairs[0].certificate) != 1) {
        tls_server_unref(server);
        return refuse(ret_error, settings->pairs[0].certificate);
    }
    if (SSL_CTX_use_PrivateKey_file(server->context, key, SSL_FILETYPE_PEM) != 1) {
        tls_server_unref(server);
        return refuse(ret_error, key);
    }
    *ret = server;
    return 0;
}

struct tls_server *tls_server_ref(struct tls_server *server)
{
    atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
    return server;
}

void tls_server_unref(struct tls_server *server)
{
    if (!server || atomic_fetch_sub_explicit(&server->references, 1, memory_order_acq_rel) > 1)
        return;
    SSL_CTX_free(server->context);
    free(server);
}

time_t tls_server_expires(const struct tls_server *server, const char **ret_file)
{
    (void)server;
    *ret_file = NULL;
    return 0;
}

struct tls *tls_server_accept(struct tls_server *server, struct source *s, bool is_unix)
{
    SSL *ssl = openssl_stream_new(server->context, s, is_unix);

    if (ssl)
        SSL_set_accept_state(ssl);
    return (struct tls *)ssl;
}

size_t tls_server_client_name(const struct tls_server *server, const struct tls *t,
                              char name[static TLS_NAME_MAX + 1])
{
    (void)server;
    (void)t;
    name[0] = '\0';
    return 0;
}
