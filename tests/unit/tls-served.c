/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "runner.h"
#include "tls-served.h"

static struct tls_server *serving; /* the last one, for its clients' names */

struct tls_server *served_by(const struct tls_settings *settings)
{
    struct tls_error error;

    ck_assert_msg(tls_server_new(settings, &serving, &error) == 0, "%s", error.text);
    ck_assert_ptr_null(error.text);
    return serving;
}

const char *refused_by(const struct tls_settings *settings, enum tls_setting *ret_setting)
{
    static char text[1024];
    struct tls_server *server;
    struct tls_error error;

    ck_assert_int_eq(tls_server_new(settings, &server, &error), -EINVAL);
    ck_assert_ptr_nonnull(error.text);
    (void)snprintf(text, sizeof text, "%s", error.text);
    free(error.text);
    *ret_setting = error.setting;
    return text;
}

void served_open(struct served *s, struct tls_server *server, const struct identity *trusted)
{
    int fds[2];

    *s = (struct served){ .context = SSL_CTX_new(TLS_client_method()) };
    serving = server;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    s->source.fd = fds[0];
    s->client_fd = fds[1];
    s->server = tls_server_accept(server, &s->source, true, false);
    ck_assert_ptr_nonnull(s->server);
    if (!trusted)
        return;
    ck_assert_int_eq(X509_STORE_add_cert(SSL_CTX_get_cert_store(s->context), trusted->certificate),
                     1);
    SSL_CTX_set_verify(s->context, SSL_VERIFY_PEER, NULL);
}

void served_close(struct served *s)
{
    tls_free(s->server);
    if (s->client)
        (void)SSL_shutdown(s->client);
    SSL_free(s->client);
    SSL_CTX_free(s->context);
    s->source.fd = close_fd(s->source.fd);
    s->client_fd = close_fd(s->client_fd);
}

/* A side that has had nothing to do waits for the other. */
int served_shake(struct served *s, SSL_SESSION *session)
{
    if (!s->client) {
        s->client = SSL_new(s->context);
        ck_assert_int_eq(SSL_set_fd(s->client, s->client_fd), 1);
        SSL_set_connect_state(s->client);
    }
    if (session)
        ck_assert_int_eq(SSL_set_session(s->client, session), 1);
    s->result = -EAGAIN;
    for (int i = 0; i < 8; i++) {
        (void)SSL_do_handshake(s->client);
        s->source.ready = TLS_READY_ALL;
        if (s->result == -EAGAIN)
            s->result = tls_handshake(s->server, &s->reason);
    }
    s->source.ready = TLS_READY_ALL;
    if (s->result == 0) {
        (void)tls_server_client_name(serving, s->server, s->name);
        ck_assert_int_eq(tls_send(s->server, "hi", 2), 2);
    }
    (void)SSL_read(s->client, s->received, sizeof s->received - 1);
    return s->result;
}

bool served_well(const struct served *s)
{
    return s->result == 0 && strcmp(s->received, "hi") == 0;
}
