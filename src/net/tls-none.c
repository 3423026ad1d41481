/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls-client.h"
#include "net/tls-server.h"

/* Instead of the other tls*.c in a build without OpenSSL. No stream can begin, so all functions
 * that need one are never called. */

static int refuse(char **ret_error)
{
    *ret_error = strdup("this build has no TLS: it was configured without OpenSSL");
    return *ret_error ? -EOPNOTSUPP : -ENOMEM;
}

int tls_server_new(const struct tls_settings *settings, struct tls_server **ret,
                   struct tls_error *ret_error)
{
    (void)settings;
    (void)ret;
    *ret_error = (struct tls_error){ .setting = TLS_SETTING_ANY };
    return refuse(&ret_error->text);
}

struct tls_server *tls_server_ref(struct tls_server *server)
{
    return server;
}

void tls_server_unref(struct tls_server *server)
{
    (void)server;
}

time_t tls_server_expires(const struct tls_server *server, const char **ret_file)
{
    (void)server;
    (void)ret_file;
    abort();
}

bool tls_server_verifies(const struct tls_server *server)
{
    (void)server;
    abort();
}

struct tls *tls_server_accept(struct tls_server *server, struct source *s, bool is_unix, bool mute)
{
    (void)mute;
    (void)server;
    (void)s;
    (void)is_unix;
    abort();
}

size_t tls_server_client_name(const struct tls_server *server, const struct tls *t,
                              char name[static TLS_NAME_MAX + 1])
{
    (void)server;
    (void)t;
    (void)name;
    abort();
}

int tls_client_new(const struct tls_client_settings *settings, struct tls_client **ret,
                   char **ret_error)
{
    (void)settings;
    (void)ret;
    return refuse(ret_error);
}

void tls_client_free(struct tls_client *client)
{
    (void)client;
}

const char *tls_client_ca(const struct tls_client *client)
{
    (void)client;
    abort();
}

struct tls *tls_client_connect(struct tls_client *client, struct source *s, bool is_unix)
{
    (void)client;
    (void)s;
    (void)is_unix;
    abort();
}

char *tls_client_explain(const struct tls_client *client, const struct tls *t, const char *reason)
{
    (void)client;
    (void)t;
    (void)reason;
    abort();
}

bool tls_client_resumed(const struct tls *t)
{
    (void)t;
    abort();
}

int tls_handshake(struct tls *t, const char **ret_error)
{
    (void)t;
    (void)ret_error;
    abort();
}

ssize_t tls_recv(struct tls *t, void *bytes, size_t n)
{
    (void)t;
    (void)bytes;
    (void)n;
    abort();
}

const char *tls_reason(void)
{
    abort();
}

bool tls_has_bytes(const struct tls *t)
{
    (void)t;
    abort();
}

ssize_t tls_send(struct tls *t, const void *bytes, size_t n)
{
    (void)t;
    (void)bytes;
    (void)n;
    abort();
}

int tls_end(struct tls *t)
{
    (void)t;
    abort();
}

void tls_move(struct tls *t, struct source *s)
{
    (void)t;
    (void)s;
    abort();
}

void tls_free(struct tls *t)
{
    (void)t;
}
