/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "net/openssl.h"
#include "net/tls-client.h"

struct tls_client {
    SSL_CTX *context;
    char *name;
};

int tls_client_new(const struct tls_client_settings *settings, struct tls_client **ret,
                   char **ret_error)
{
    struct tls_client *client = calloc(1, sizeof *client);

    *ret_error = NULL;
    if (!client)
        return -ENOMEM;
    client->context = openssl_context_new(TLS_client_method());
    client->name = settings->name ? strdup(settings->name) : NULL;
    if (!client->context || (settings->name && !client->name)) {
        tls_client_free(client);
        ERR_clear_error();
        return -ENOMEM;
    }
    *ret = client;
    return 0;
}

void tls_client_free(struct tls_client *client)
{
    if (!client)
        return;
    SSL_CTX_free(client->context);
    free(client->name);
    free(client);
}

struct tls *tls_client_connect(struct tls_client *client, struct source *s, bool is_unix)
{
    SSL *ssl = openssl_stream_new(client->context, s, is_unix);

    if (ssl)
        SSL_set_connect_state(ssl);
    return (struct tls *)ssl;
}

char *tls_client_explain(const struct tls_client *client, const struct tls *t, const char *reason)
{
    (void)client;
    (void)t;
    return strdup(reason);
}

bool tls_client_resumed(const struct tls *t)
{
    return SSL_session_reused(tls_ssl(t));
}
