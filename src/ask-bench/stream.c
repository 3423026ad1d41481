/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ask-bench/stream.h"
#include "base/macros.h"

static struct tls **place(const struct crowd *crowd, const struct client *c)
{
    return &crowd->streams[c - crowd->clients];
}

int stream_begin(struct crowd *crowd, struct client *c)
{
    struct tls *tls =
        tls_client_connect(crowd->tls, &c->source, crowd->target->sa.sa_family == AF_UNIX);

    if (!tls)
        return -ENOMEM;
    *place(crowd, c) = tls;
    return 0;
}

/* Keeps the explanation of the worker's first failure. One is enough: all clients talk to the same
 * server. reason: of tls_handshake(), or NULL. Turns -EPROTO, which here means a wrong reply, into -EBADMSG. */
static int explain(struct crowd *crowd, const struct tls *tls, int error, const char *reason)
{
    _cleanup_free_ char *text = NULL;

    if (error != -EPROTO)
        return error;
    if (crowd->stats->tls_error[0])
        return -EBADMSG;
    text = tls_client_explain(crowd->tls, tls, reason);
    (void)snprintf(crowd->stats->tls_error, sizeof crowd->stats->tls_error, "%s",
                   text ?: strerror(ENOMEM));
    return -EBADMSG;
}

int stream_handshake(struct crowd *crowd, struct client *c)
{
    struct tls *tls = *place(crowd, c);
    const char *reason;
    int r;

    r = tls_handshake(tls, &reason);
    if (r < 0)
        return explain(crowd, tls, r, reason);
    STAT_ADD(crowd->stats->counters.resumed, tls_client_resumed(tls));
    return 0;
}

ssize_t stream_recv(struct crowd *crowd, struct client *c, void *bytes, size_t n)
{
    ssize_t r;

    if (stream_is_tls(crowd, c)) {
        r = tls_recv(*place(crowd, c), bytes, n);
        return r < 0 ? explain(crowd, *place(crowd, c), (int)r, NULL) : r;
    }
    r = recv(c->source.fd, bytes, n, 0);
    return r < 0 ? -errno : r;
}

ssize_t stream_send(struct crowd *crowd, struct client *c, const void *bytes, size_t n)
{
    ssize_t r;

    if (stream_is_tls(crowd, c)) {
        r = tls_send(*place(crowd, c), bytes, n);
        return r < 0 ? explain(crowd, *place(crowd, c), (int)r, NULL) : r;
    }
    r = send(c->source.fd, bytes, n, MSG_NOSIGNAL);
    return r < 0 ? -errno : r;
}

bool stream_has_more(const struct crowd *crowd, const struct client *c)
{
    return stream_is_tls(crowd, c) && tls_has_bytes(*place(crowd, c));
}

struct tls *stream_steal(struct crowd *crowd, struct client *c)
{
    struct tls *tls = crowd->streams ? *place(crowd, c) : NULL;

    if (tls)
        *place(crowd, c) = NULL;
    return tls;
}

void stream_end(struct crowd *crowd, struct client *c)
{
    struct tls *tls = stream_steal(crowd, c);

    if (!tls)
        return;
    /* If there is no room for it, the server sees a stream that was cut. */
    (void)tls_end(tls);
    tls_free(tls);
}

void stream_end_all(struct crowd *crowd)
{
    for (uint32_t i = 0; crowd->streams && i < crowd->n_clients; i++)
        stream_end(crowd, &crowd->clients[i]);
}
