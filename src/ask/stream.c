/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ask/stream.h"
#include "base/macros.h"

/* close() with unread bytes resets the connection, and that can destroy close_notify on its way. A
 * server that sends more than this without being asked is reset. */
static void drain(int fd)
{
    char bytes[4096];

    for (int i = 0; i < 16; i++)
        if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0)
            return;
}

void stream_close(struct stream *c)
{
    if (c->tls && buffer_size(c->out) == 0 && c->send_error == 0) {
        c->source.ready = TLS_READY_ALL;
        (void)tls_end(c->tls);
        drain(c->fd);
    }
    tls_free(STEAL_PTR(c->tls));
    c->fd = close_fd(c->fd);
    buffer_free(&c->out);
    free(STEAL_PTR(c->why));
}

void stream_take(struct stream *c, struct stream *from)
{
    struct buffer *out = STEAL_PTR(c->out);

    *c = *from;
    c->out = out;
    if (c->tls)
        tls_move(c->tls, &c->source);
    from->fd = -1;
    from->tls = NULL;
    from->why = NULL;
}

/* poll(2) ignores a negative descriptor. A stream that has ended would always be ready. */
struct pollfd stream_poll(const struct stream *c)
{
    struct pollfd fd = { .fd = c->ended ? -1 : c->fd, .events = c->receive_waits };

    if (buffer_size(c->out) > 0)
        fd.events |= c->send_waits;
    return fd;
}

bool stream_is_readable(const struct stream *c, short events)
{
    return stream_has_more(c) || events & (c->receive_waits | POLLERR | POLLHUP | POLLNVAL);
}

/* The number of bytes, or a negative errno. */
static ssize_t send_some(struct stream *c)
{
    ssize_t n;

    if (c->tls) {
        c->source.ready = TLS_READY_ALL;
        n = tls_send(c->tls, buffer_head(c->out), buffer_size(c->out));
        c->send_waits = n == -EAGAIN ? stream_waits_for(c) : POLLOUT;
        return n;
    }
    do
        n = send(c->fd, buffer_head(c->out), buffer_size(c->out), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

bool stream_flush(struct stream *c)
{
    bool any = false;

    while (c->send_error == 0 && buffer_size(c->out) > 0) {
        ssize_t n = send_some(c);

        if (n == -EAGAIN)
            return any;
        if (n < 0) {
            c->send_error = (int)n;
        } else {
            buffer_consume(c->out, (size_t)n);
            any = true;
        }
    }
    buffer_clear(c->out);
    return any;
}

static ssize_t receive_tls(struct stream *c, void *bytes, size_t room)
{
    ssize_t n;

    c->source.ready = TLS_READY_ALL;
    n = tls_recv(c->tls, bytes, room);
    c->more = n > 0;
    c->receive_waits = n == -EAGAIN ? stream_waits_for(c) : POLLIN;
    if (n == -ENODATA)
        c->why = strdup("the connection was cut off (no TLS close_notify)");
    if (n == -EPROTO)
        c->why = tls_client_explain(c->client, c->tls, NULL);
    /* A server of TLS 1.3 may find that it does not like us when our handshake is over. */
    c->refused = n == -EPROTO && !c->heard;
    return n;
}

static ssize_t receive_plain(const struct stream *c, void *bytes, size_t room)
{
    ssize_t n;

    do
        n = recv(c->fd, bytes, room, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* An alert: TLS 1.x, two bytes long (RFC 8446, 5.1). No less is looked at, since two control
 * characters can be a reply. */
static bool is_alert(const uint8_t *bytes, size_t n)
{
    return n >= 7 && bytes[0] == 0x15 && bytes[1] == 3 && bytes[2] <= 4 && bytes[3] == 0 &&
           bytes[4] == 2 && (bytes[5] == 1 || bytes[5] == 2);
}

ssize_t stream_receive(struct stream *c, void *bytes, size_t room)
{
    ssize_t n = c->tls ? receive_tls(c, bytes, room) : receive_plain(c, bytes, room);

    if (n == -EAGAIN)
        return n;
    if (n > 0 && !c->tls && !c->heard && is_alert(bytes, (size_t)n)) {
        c->why = strdup("the server speaks TLS; use --tls");
        c->refused = true;
        n = -EPROTO;
    }
    c->heard = true;
    c->ended = n <= 0;
    return n;
}

const char *stream_why(const struct stream *c, int error)
{
    if (c->why)
        return c->why;
    return error ? strerror(error < 0 ? -error : error) : "the server closed the connection";
}
