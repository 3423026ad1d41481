/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "ask-bench/client.h"
#include "ask-bench/dial.h"
#include "ask-bench/flight.h"
#include "ask-bench/replies.h"
#include "ask-bench/stream.h"
#include "base/macros.h"

#define RETRY_NS       UINT64_C(100000000) /* before connecting again */
#define UNIX_RETRY_NS  UINT64_C(1000000)
#define READS_PER_TURN 16
#define ENDED          (READY_ERR | READY_HUP | READY_RDHUP)

static void set_timer(struct crowd *crowd, struct client *c, uint64_t ns)
{
    /* Rounded up: the timer must not expire early. */
    timer_set(&crowd->wheel, &c->timer, ns / 1000000 + 1);
}

/* Closes the connection. Messages in flight stay unanswered. */
static void shut(struct crowd *crowd, struct client *c)
{
    crowd_acquit(crowd, c);
    if (c->source.state == CLIENT_OPEN)
        STAT_SET(crowd->stats->open, crowd->stats->open - 1);
    if (c->source.state == CLIENT_CONNECTING)
        crowd->connecting--;
    c->source.state = CLIENT_CLOSED;
    stream_end(crowd, c);
    c->source.fd = close_fd(c->source.fd);
    timer_cancel(&c->timer);
    buffer_free(&c->partial);
    c->progress_ns = 0;
    flight_abandon(crowd, c);
}

void client_end(struct crowd *crowd, struct client *c)
{
    if (c->source.state == CLIENT_OPEN || c->source.state == CLIENT_CONNECTING ||
        (crowd->options->churn && c->source.state == CLIENT_CLOSED))
        return;
    timer_cancel(&c->timer);
    c->source.state = CLIENT_CLOSED;
    if (c->owed > 0)
        stats_error(crowd->stats, ERROR_UNANSWERED, c->owed);
    crowd->owed -= c->owed;
    c->owed = 0;
}

static void had_outcome(struct crowd *crowd, struct client *c)
{
    if (!c->tried)
        crowd->untried--;
    c->tried = true;
}

static void fail(struct crowd *crowd, struct client *c, enum error_kind kind)
{
    had_outcome(crowd, c);
    if (c->suspicion.kind != SUSPECT_NONE &&
        (kind == ERROR_CLOSED || kind == ERROR_RESET || kind == ERROR_CUT)) {
        crowd_suspect(crowd, c, SUSPECT_NONE);
        kind = ERROR_REFUSED;
    }
    stats_error(crowd->stats, kind, 1);
    shut(crowd, c);
    c->source.state = CLIENT_WAITING;
    /* With --hold, a lost connection counts and is not made again. */
    if (crowd->ending || crowd->options->mode == MODE_HOLD)
        client_end(crowd, c);
    else
        set_timer(crowd, c, crowd->now_ns + RETRY_NS);
}

static void established(struct crowd *crowd, struct client *c)
{
    struct worker_stats *s = crowd->stats;

    had_outcome(crowd, c);
    c->source.state = CLIENT_OPEN;
    crowd->connecting--;
    timer_cancel(&c->timer);
    STAT_ADD(s->counters.connects, 1);
    STAT_SET(s->open, s->open + 1);
    if (s->open > s->peak)
        STAT_SET(s->peak, s->open);
    histogram_record(&s->connect, crowd->now_ns - c->progress_ns);
    c->progress_ns = crowd->now_ns;
    if (c->in_flight > 0)
        set_timer(crowd, c, c->progress_ns + crowd->timeout_ns);
}

/* connect() to a UNIX socket never waits in the background. EAGAIN means that the server's accept
 * queue is full, and no event tells when it has room again (connect(2)). */
static void retry_unix(struct crowd *crowd, struct client *c)
{
    c->source.fd = close_fd(c->source.fd);
    set_timer(crowd, c, crowd->now_ns + UNIX_RETRY_NS);
}

/* Registers a socket that is connecting or, on loopback, already connected. With TLS, the kernel
 * reports at once if it can begin. */
static int watch(struct crowd *crowd, struct client *c, bool connected)
{
    int r;

    if (crowd->tls)
        connected = false;
    else if (c->unsent > 0) {
        /* On loopback, connect() returns after the handshake, so a waiting message can go at
         * once. */
        r = flight_send(crowd, c);
        if (r < 0)
            return r;
        connected |= c->unsent == 0;
    }
    if (connected) {
        c->source.ready |= READY_OUT;
        (void)crowd_now(crowd);
        established(crowd, c);
    } else
        set_timer(crowd, c, c->progress_ns + crowd->timeout_ns);
    /* With --churn the only message has been sent: EPOLLOUT is not needed. */
    return loop_add(&crowd->loop, &c->source,
                    EPOLLIN | EPOLLRDHUP |
                        (crowd->options->churn && c->unsent == 0 ? 0 : (uint32_t)EPOLLOUT));
}

void client_connect(struct crowd *crowd, struct client *c)
{
    bool connected;
    int r;

    if (c->progress_ns == 0)
        c->progress_ns = crowd->now_ns;
    timer_cancel(&c->timer);
    if (c->source.state != CLIENT_CONNECTING)
        crowd->connecting++;
    c->source.state = CLIENT_CONNECTING;
    c->source.ready = 0;
    r = dial_socket(crowd->target, crowd->sources, crowd->source, !crowd->options->churn);
    if (r == -EMFILE && crowd->suspects.count > 0) {
        suspects_acquit_all(&crowd->suspects);
        r = dial_socket(crowd->target, crowd->sources, crowd->source, !crowd->options->churn);
    }
    crowd->source += crowd->source_step;
    if (r < 0) {
        fail(crowd, c, error_from_errno(-r));
        return;
    }
    c->source.fd = r;
    connected = connect(r, &crowd->target->sa, crowd->target->size) == 0;
    if (!connected && errno == EAGAIN && crowd->target->sa.sa_family == AF_UNIX) {
        retry_unix(crowd, c);
        return;
    }
    if (!connected && errno != EINPROGRESS && errno != EINTR)
        r = -errno;
    else
        r = watch(crowd, c, connected);
    if (r < 0)
        fail(crowd, c, error_from_errno(-r));
}

/* The number of messages that may be sent now. */
static uint32_t allowance(const struct crowd *crowd, const struct client *c)
{
    uint32_t room = (uint32_t)crowd->options->pipeline - c->in_flight;

    if (c->source.state != (crowd->options->churn ? CLIENT_CLOSED : CLIENT_OPEN))
        return 0;
    if (crowd->options->mode == MODE_CLOSED)
        return crowd->budget < room ? (uint32_t)crowd->budget : room;
    return MIN(room, c->owed);
}

bool client_has_room(const struct crowd *crowd, const struct client *c)
{
    return c->source.state == (crowd->options->churn ? CLIENT_CLOSED : CLIENT_OPEN) &&
           c->in_flight < crowd->options->pipeline;
}

void client_owe(struct crowd *crowd, struct client *c)
{
    c->owed++;
    crowd->owed++;
}

void client_advance(struct crowd *crowd, struct client *c)
{
    uint32_t n = allowance(crowd, c);
    int r;

    if (n > 0)
        flight_begin(crowd, c, n);
    if (c->unsent == 0)
        return;
    if (c->source.state == CLIENT_CLOSED) {
        client_connect(crowd, c);
        return;
    }
    /* Armed again only after it has expired, not for every message. */
    if (!timer_armed(&c->timer))
        set_timer(crowd, c, c->progress_ns + crowd->timeout_ns);
    if (!(c->source.ready & READY_OUT))
        return;
    r = flight_send(crowd, c);
    if (r < 0)
        fail(crowd, c, error_from_errno(-r));
}

/* Reads once. Returns the number of bytes, 0 at the end of the stream, or a negative errno. */
static ssize_t receive(struct crowd *crowd, struct client *c)
{
    size_t have = buffer_size(c->partial);
    struct replies replies;
    ssize_t n;
    int r;

    n = stream_recv(crowd, c, crowd->scratch + have, RECEIVE_SIZE);
    if (n < 0)
        return n;
    (void)crowd_now(crowd);
    STAT_ADD(crowd->stats->counters.bytes_in, (uint64_t)n);
    if (have > 0)
        memcpy(crowd->scratch, buffer_head(c->partial), have);
    r = replies_parse(crowd->options, crowd->message, crowd->scratch, have + (size_t)n, n == 0,
                      c->in_flight, c->expected, &c->partial, &replies);
    stats_error(crowd->stats, ERROR_MISMATCHED, replies.mismatched);
    flight_land(crowd, c, &replies);
    c->progress_ns = crowd->now_ns;
    return r < 0 ? r : n;
}

/* The server has ended the connection. It may do so when the client needs it no more. */
static void closed_by_server(struct crowd *crowd, struct client *c)
{
    if (c->in_flight == 0 && c->suspicion.kind == SUSPECT_NONE &&
        (crowd->ending || crowd->options->churn))
        shut(crowd, c);
    else
        fail(crowd, c, ERROR_CLOSED);
}

/* Whether to read again after n bytes. A short read empties a TCP socket. And if no reply is due,
 * the next data raises an edge of its own. Neither needs a read that returns EAGAIN. */
static bool has_more(const struct crowd *crowd, const struct client *c, ssize_t n)
{
    if (stream_is_tls(crowd, c))
        return c->source.ready & (READY_IN | ENDED) || stream_has_more(crowd, c);
    if (n == RECEIVE_SIZE || c->source.ready & ENDED)
        return true;
    return crowd->target->sa.sa_family == AF_UNIX && c->in_flight > 0;
}

/* Reads until an edge is sure to announce more, or the share of the turn is used up. A server that
 * sends without end must not keep the loop from other connections and from the clock. */
static void read_replies(struct crowd *crowd, struct client *c)
{
    for (unsigned reads = 0;; reads++) {
        ssize_t n;

        if (reads == READS_PER_TURN) {
            loop_queue(&crowd->loop, &c->source);
            return;
        }
        n = receive(crowd, c);
        if (n == -EINTR)
            continue;
        if (n == -EAGAIN)
            break;
        if (n == 0) {
            closed_by_server(crowd, c);
            return;
        }
        if (n < 0) {
            fail(crowd, c, error_from_errno((int)-n));
            return;
        }
        if (!has_more(crowd, c, n))
            break;
    }
    if (!stream_is_tls(crowd, c))
        c->source.ready &= (uint8_t)~READY_IN;
}

static void continue_handshake(struct crowd *crowd, struct client *c)
{
    int r = stream_handshake(crowd, c);

    if (r == -EAGAIN)
        return;
    (void)crowd_now(crowd);
    if (r == 0)
        established(crowd, c);
    else
        fail(crowd, c, error_from_errno(-r));
}

/* The socket is connected. */
static void connect_done(struct crowd *crowd, struct client *c)
{
    if (!crowd->tls) {
        (void)crowd_now(crowd);
        established(crowd, c);
    } else if (stream_begin(crowd, c) < 0)
        fail(crowd, c, ERROR_SYSTEM);
    else
        continue_handshake(crowd, c);
}

static void connect_event(struct crowd *crowd, struct client *c)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (stream_is_tls(crowd, c))
        continue_handshake(crowd, c);
    else if (c->source.ready & (READY_ERR | READY_HUP)) {
        if (getsockopt(c->source.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
            error = errno;
        fail(crowd, c, error ? error_from_errno(error) : ERROR_RESET);
    } else if (c->source.ready & READY_OUT)
        connect_done(crowd, c);
}

/* --churn: the reply has come. */
static void end_churned(struct crowd *crowd, struct client *c)
{
    struct suspicion suspicion = c->suspicion;
    struct tls *tls;
    int fd;

    if (suspicion.kind == SUSPECT_NONE) {
        shut(crowd, c);
        return;
    }
    tls = stream_steal(crowd, c);
    fd = STEAL_FD(c->source.fd);
    crowd_suspect(crowd, c, SUSPECT_NONE);
    shut(crowd, c);
    suspects_add(&crowd->suspects, fd, tls, &suspicion, crowd->now_ns);
}

void client_event(struct crowd *crowd, struct client *c)
{
    if (c->source.state == CLIENT_CONNECTING)
        connect_event(crowd, c);
    if (c->source.state != CLIENT_OPEN)
        return;
    if (c->source.ready & (READY_IN | ENDED) || stream_has_more(crowd, c))
        read_replies(crowd, c);
    if (crowd->options->churn && c->source.state == CLIENT_OPEN && c->in_flight == 0)
        end_churned(crowd, c);
    client_advance(crowd, c);
}

void client_timer(struct crowd *crowd, struct client *c)
{
    uint64_t deadline = c->progress_ns + crowd->timeout_ns;

    switch (c->source.state) {
    case CLIENT_WAITING:
        if (crowd->options->churn && c->in_flight == 0) {
            c->source.state = CLIENT_CLOSED;
            client_advance(crowd, c);
        } else
            client_connect(crowd, c);
        break;
    case CLIENT_CONNECTING:
        if (c->source.fd < 0 && crowd->now_ns < deadline)
            client_connect(crowd, c);
        else
            fail(crowd, c, ERROR_TIMEOUT);
        break;
    case CLIENT_OPEN:
        if (c->in_flight == 0)
            break;
        if (crowd->now_ns >= deadline)
            fail(crowd, c, ERROR_TIMEOUT);
        else
            set_timer(crowd, c, deadline);
        break;
    default:
        break;
    }
}
