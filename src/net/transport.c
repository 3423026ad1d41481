/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "base/macros.h"
#include "net/socket.h"
#include "net/transport.h"

#define EVENTS_IN (EPOLLIN | EPOLLPRI | EPOLLRDHUP)

static bool is_unix(const struct transport *t)
{
    return t->flags & TRANSPORT_UNIX;
}

void transport_init(struct transport *t, int fd, uint8_t kind, const struct peer *peer,
                    bool is_unix)
{
    *t = (struct transport){
        .source = { .fd = fd, .kind = kind, .ready = READY_OUT },
        .peer = *peer,
        .flags = is_unix ? TRANSPORT_UNIX : 0,
    };
}

/* net/loop.h says why a UNIX stream is not always registered for EPOLLOUT. */
static uint32_t events(const struct transport *t)
{
    return is_unix(t) && !(t->flags & TRANSPORT_OUT_WAITS) ? EVENTS_IN : EVENTS_IN | EPOLLOUT;
}

int transport_register(struct transport *t, struct loop *l, bool registered)
{
    return registered ? loop_modify(l, &t->source, events(t)) : loop_add(l, &t->source, events(t));
}

/* Whether a short read has emptied the socket, so that we need not read again to see EAGAIN. True
 * only for TCP, and only without an end of stream, error or urgent mark at which recv() stops. On
 * AF_UNIX recv() also stops at attached credentials or descriptors (unix(7)). */
static bool short_read_drains(const struct transport *t)
{
    return !is_unix(t) && !(t->source.ready & (READY_PRI | READY_RDHUP | READY_HUP | READY_ERR));
}

/* Notes an error from sending or receiving: the kernel reports it once. EPIPE alone does not affect
 * the incoming direction: the peer reads no more, or its end of stream came before its reset
 * (tcp(7), tcp_reset()). After any other error the connection cannot continue, and a TCP stream is
 * cut. A UNIX peer that closes with unread input also resets, but everything it sent is complete
 * (unix(7)). */
static void note_error(struct transport *t, int error)
{
    t->flags |= TRANSPORT_OUT_ENDED;
    if (error == EPIPE)
        return;
    t->flags |= TRANSPORT_OUT_FAILED;
    if (!is_unix(t))
        t->flags |= TRANSPORT_IN_CUT;
}

ssize_t transport_recv(struct transport *t, void *bytes, size_t n)
{
    ssize_t r;

    assert(n > 0);
    do
        r = socket_recv(t->source.fd, bytes, n);
    while (r < 0 && errno == EINTR);
    if (r > 0) {
        if ((size_t)r < n && short_read_drains(t))
            t->source.ready &= (uint8_t)~READY_IN;
        return r;
    }
    if (r < 0 && errno == EAGAIN) {
        t->source.ready &= READY_OUT;
        return -EAGAIN;
    }
    if (r < 0)
        note_error(t, errno);
    /* A TCP stream that ends with any error is incomplete. */
    if (r < 0 && !is_unix(t))
        t->flags |= TRANSPORT_IN_CUT;
    t->flags |= TRANSPORT_IN_ENDED;
    return 0;
}

size_t transport_unread(const struct transport *t)
{
    int n;

    if (t->source.fd < 0 || t->flags & TRANSPORT_IN_ENDED || ioctl(t->source.fd, FIONREAD, &n) < 0)
        return 0;
    return (size_t)n;
}

/* At an urgent mark the kernel counts 0 bytes (tcp(7), SIOCINQ). */
bool transport_has_bytes(struct transport *t)
{
    if (t->source.ready & READY_PRI || transport_unread(t) > 0)
        return true;
    t->source.ready &= (uint8_t)~READY_IN;
    return false;
}

void transport_recheck(struct transport *t)
{
    t->source.ready |= READY_IN;
}

/* If the stream cannot be registered for EPOLLOUT, it would wait forever. So its output ends. */
static void await_room(struct transport *t, struct loop *l)
{
    t->source.ready &= (uint8_t)~READY_OUT;
    if (!is_unix(t) || t->flags & TRANSPORT_OUT_WAITS)
        return;
    t->flags |= TRANSPORT_OUT_WAITS;
    if (loop_modify(l, &t->source, events(t)) < 0)
        t->flags |= TRANSPORT_OUT_ENDED | TRANSPORT_OUT_FAILED;
}

static void await_room_no_more(struct transport *t, struct loop *l)
{
    t->flags &= (uint8_t)~TRANSPORT_OUT_WAITS;
    /* If this fails, the stream is woken more often than necessary. */
    (void)loop_modify(l, &t->source, events(t));
}

/* Only EAGAIN ends readiness. After a short write alone, the kernel owes no edge. */
static void send_failed(struct transport *t, struct loop *l, int error)
{
    if (error == EAGAIN)
        await_room(t, l);
    else if (error != EINTR)
        note_error(t, error);
}

size_t transport_send_on(struct transport *t, struct loop *l, const void *bytes, size_t n,
                         ssize_t r)
{
    size_t sent = 0;

    for (;;) {
        if (r < 0)
            send_failed(t, l, errno);
        else if (r > 0)
            t->flags &= (uint8_t)~TRANSPORT_OUT_UNUSED;
        sent += r > 0 ? (size_t)r : 0;
        if (sent == n || !transport_writable(t))
            break;
        r = socket_send(t->source.fd, (const uint8_t *)bytes + sent, n - sent);
    }
    if (t->flags & TRANSPORT_OUT_WAITS && sent == n)
        await_room_no_more(t, l);
    return sent;
}

void transport_abandon_output(struct transport *t)
{
    t->flags |= TRANSPORT_OUT_ENDED;
}

void transport_shutdown(struct transport *t)
{
    t->flags |= TRANSPORT_OUT_ENDED;
    /* Fails if the peer is gone. Then it will not see the end of the stream. */
    (void)shutdown(t->source.fd, SHUT_WR);
}

size_t transport_in_flight(const struct transport *t)
{
    int n;

    return t->source.fd < 0 || ioctl(t->source.fd, SIOCOUTQ, &n) < 0 ? 0 : (size_t)n;
}

void transport_close(struct transport *t, bool reset)
{
    if (t->source.fd < 0)
        return;
    if (reset)
        (void)setsockopt(t->source.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 },
                         sizeof(struct linger));
    t->source.fd = close_fd(t->source.fd);
    t->source.ready = 0;
    t->flags |= TRANSPORT_IN_ENDED | TRANSPORT_OUT_ENDED;
}
