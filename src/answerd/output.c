/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>

#include "answerd/output.h"
#include "answerd/worker.h"
#include "base/macros.h"
#include "net/socket.h"

size_t connection_room(const struct worker *w)
{
    size_t limit = atomic_load_explicit(&w->shared->memory_limit, memory_order_relaxed);

    return limit - MIN(limit, w->memory);
}

bool connection_keep(struct worker *w, struct buffer **b, const uint8_t *bytes, size_t n)
{
    size_t before = *b ? (*b)->capacity : 0;

    if (n > connection_room(w) || buffer_append(b, bytes, n) < 0)
        return false;
    if (before == 0)
        (*b)->stamp = worker_ms(w);
    w->memory += (*b)->capacity - before;
    return true;
}

void connection_drop(struct worker *w, struct buffer **b)
{
    if (*b)
        w->memory -= (*b)->capacity;
    buffer_free(b);
}

void connection_lose(struct worker *w, struct connection *c)
{
    c->flags |= CONNECTION_GONE;
    connection_drop(w, &c->out);
}

void connection_discard(struct worker *w, const struct connection *c, size_t n, const char *why)
{
    struct log_connection who = connection_about(c);

    if (n == 0)
        return;
    count(&w->counters.discarded, n);
    log_connection_event(EVENT_DISCARDED, &who, "discarded %zu bytes: %s", n, why);
}

void connection_discard_input(struct worker *w, struct connection *c, const char *why)
{
    connection_discard(w, c, buffer_size(c->in), why);
    connection_drop(w, &c->in);
}

void connection_reset(struct worker *w, struct connection *c)
{
    (void)setsockopt(c->source.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 },
                     sizeof(struct linger));
    connection_close(w, c);
}

void connection_shed(struct worker *w, struct connection *c)
{
    struct log_connection who = connection_about(c);

    count(&w->counters.shed, 1);
    log_connection_event(EVENT_MEMORY_LIMIT, &who,
                         "cut off: no memory for its buffers; MemoryLimit= says how much there is");
    connection_reset(w, c);
}

/* After an error that says more than that the peer takes nothing (EPIPE). It is reported once: recv()
 * gives what has arrived and then 0, as if the stream had ended in order. Where it was not the peer's
 * doing, as out of memory, the peer must not wait for a reply that never comes. */
static void cut(struct connection *c)
{
    c->flags |= CONNECTION_RESET;
    (void)shutdown(c->source.fd, SHUT_RDWR);
    c->source.ready |= READY_IN;
}

/* Sends until all is gone or the kernel takes no more. Returns the number of bytes gone; the peer may
 * be lost after it. Only EAGAIN ends readiness: after a short write alone no edge would be owed. */
static size_t transmit_now(struct worker *w, struct connection *c, const uint8_t *bytes, size_t n)
{
    size_t sent = 0;

    while (sent < n && c->source.ready & READY_OUT) {
        ssize_t r = socket_send(c->source.fd, bytes + sent, n - sent);

        if (r >= 0) {
            sent += (size_t)r;
        } else if (errno == EAGAIN) {
            c->source.ready &= (uint8_t)~READY_OUT;
        } else if (errno != EINTR) {
            if (errno != EPIPE)
                cut(c);
            connection_lose(w, c);
            break;
        }
    }
    if (sent > 0)
        c->flags |= CONNECTION_ANSWERED;
    count(&w->counters.bytes_out, sent);
    return sent;
}

size_t connection_in_flight(const struct connection *c)
{
    int n;

    return ioctl(c->source.fd, SIOCOUTQ, &n) < 0 ? 0 : (size_t)n;
}

/* `scanned` is a parser's, which output has none of: here it is what was in flight, in bytes. */
static void note_progress(const struct worker *w, struct connection *c)
{
    c->out->stamp = worker_ms(w);
    c->out->scanned = connection_in_flight(c);
}

bool connection_progresses(const struct worker *w, struct connection *c)
{
    if (connection_in_flight(c) >= c->out->scanned)
        return false;
    note_progress(w, c);
    return true;
}

void connection_transmit(struct worker *w, struct connection *c, const uint8_t *bytes, size_t n)
{
    bool first = !c->out;
    size_t sent = 0;

    if (c->flags & CONNECTION_GONE || n == 0)
        return;
    if (first)
        sent = transmit_now(w, c, bytes, n);
    if (sent == n || c->flags & CONNECTION_GONE)
        return;
    if (!connection_keep(w, &c->out, bytes + sent, n - sent))
        connection_shed(w, c);
    else if (first)
        note_progress(w, c);
}

void connection_flush(struct worker *w, struct connection *c)
{
    size_t sent;

    sent = transmit_now(w, c, buffer_head(c->out), buffer_size(c->out));
    if (!c->out || sent == 0)
        return;
    buffer_consume(c->out, sent);
    if (buffer_size(c->out) > 0) {
        note_progress(w, c);
        return;
    }
    connection_drop(w, &c->out);
    c->active_ms = worker_ms(w);
}
