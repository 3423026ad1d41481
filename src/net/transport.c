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

static bool is_tls(const struct transport *t)
{
    return t->flags & TRANSPORT_TLS;
}

static struct tls *tls_of(const struct transport *t)
{
    return *transport_tls((struct transport *)t);
}

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

void transport_use_tls(struct transport *t, struct tls *tls)
{
    t->flags |= TRANSPORT_TLS;
    *transport_tls(t) = tls;
    tls_move(tls, &t->source);
}

/* net/loop.h says why a UNIX stream is not always registered for EPOLLOUT. With TLS it is: even
 * receiving may have to wait for room. */
static uint32_t events(const struct transport *t)
{
    return is_unix(t) && !(t->flags & (TRANSPORT_OUT_WAITS | TRANSPORT_TLS)) ? EVENTS_IN
                                                                             : EVENTS_IN | EPOLLOUT;
}

int transport_register(struct transport *t, struct loop *l, bool registered)
{
    return registered ? loop_modify(l, &t->source, events(t)) : loop_add(l, &t->source, events(t));
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

/* The bits say what the socket has. Bytes inside count as the socket's, since they need no edge. */
_noinline_ static ssize_t tls_receive(struct transport *t, void *bytes, size_t n)
{
    ssize_t r = tls_recv(tls_of(t), bytes, n);

    if (r > 0 && tls_has_bytes(tls_of(t)))
        t->source.ready |= READY_IN;
    if (r > 0 || r == -EAGAIN)
        return r;
    if (r < 0)
        t->flags |= TRANSPORT_IN_CUT;
    if (r < 0 && r != -ENODATA)
        note_error(t, (int)-r);
    t->flags |= TRANSPORT_IN_ENDED;
    return r == -EPROTO ? r : 0;
}

ssize_t transport_recv(struct transport *t, void *bytes, size_t n)
{
    ssize_t r;

    assert(n > 0);
    if (_unlikely_(is_tls(t)))
        return tls_receive(t, bytes, n);
    do
        r = socket_recv(t->source.fd, bytes, n);
    while (r < 0 && errno == EINTR);
    if (r > 0) {
        if ((size_t)r < n && source_short_read_drains(&t->source, is_unix(t)))
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
    return t->source.fd < 0 || t->flags & TRANSPORT_IN_ENDED ? 0 : socket_unread(t->source.fd);
}

/* At an urgent mark the kernel counts 0 bytes (tcp(7), SIOCINQ). */
bool transport_has_bytes(struct transport *t)
{
    if (t->source.ready & READY_PRI || transport_unread(t) > 0 ||
        (is_tls(t) && tls_has_bytes(tls_of(t))))
        return true;
    t->source.ready &= (uint8_t)~READY_IN;
    return false;
}

bool transport_is_within_record(const struct transport *t)
{
    return is_tls(t) && !(t->source.ready & READY_INPUT) && tls_has_bytes(tls_of(t));
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

/* Until EAGAIN, so that the bytes which are on their way are the first of those that are left. */
_noinline_ static size_t tls_transmit(struct transport *t, const uint8_t *bytes, size_t n)
{
    size_t sent = 0;

    while (sent < n && transport_writable(t)) {
        ssize_t r = tls_send(tls_of(t), bytes + sent, n - sent);

        if (r > 0)
            t->flags &= (uint8_t)~TRANSPORT_OUT_UNUSED;
        if (r > 0)
            sent += (size_t)r;
        else if (r == -EAGAIN)
            break;
        else
            note_error(t, (int)-r);
    }
    return sent;
}

size_t transport_send_on(struct transport *t, struct loop *l, const void *bytes, size_t n,
                         ssize_t r)
{
    size_t sent = 0;

    if (is_tls(t))
        return tls_transmit(t, bytes, n);
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

bool transport_shutdown(struct transport *t)
{
    if (is_tls(t) && !(t->flags & TRANSPORT_OUT_ENDED) && tls_end(tls_of(t)) == -EAGAIN)
        return false;
    t->flags |= TRANSPORT_OUT_ENDED;
    /* Fails if the peer is gone. Then it will not see the end of the stream. */
    (void)shutdown(t->source.fd, SHUT_WR);
    return true;
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
    if (is_tls(t)) {
        if (!reset && !(t->flags & TRANSPORT_OUT_ENDED))
            (void)tls_end(tls_of(t));
        tls_free(tls_of(t));
        t->flags &= (uint8_t)~TRANSPORT_TLS;
    }
    t->source.fd = close_fd(t->source.fd);
    t->source.ready = 0;
    t->flags |= TRANSPORT_IN_ENDED | TRANSPORT_OUT_ENDED;
}
