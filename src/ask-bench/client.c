/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "ask-bench/client.h"
#include "ask-bench/dial.h"
#include "ask-bench/replies.h"
#include "base/macros.h"

#define RECEIVE_SIZE   (256 * 1024)
#define RETRY_NS       UINT64_C(100000000) /* before a failed connection is tried again */
#define UNIX_RETRY_NS  UINT64_C(1000000)
#define READS_PER_TURN 16
#define ENDED          (READY_ERR | READY_HUP | READY_RDHUP)

int crowd_init(struct crowd *crowd)
{
    const struct message *m = crowd->message;
    uint64_t window = crowd->options->pipeline;

    /* The part of it that no reply is long enough to touch never becomes memory. */
    crowd->scratch = malloc(frame_size_max(crowd->options->framing, REPLY_MAX) + RECEIVE_SIZE + 1);
    crowd->clients = calloc(crowd->n_clients, sizeof *crowd->clients);
    crowd->due = calloc(crowd->n_clients * window, sizeof *crowd->due);
    if (!crowd->scratch || !crowd->clients || !crowd->due)
        return -ENOMEM;
    for (uint32_t i = 0; i < crowd->n_clients; i++) {
        struct client *c = &crowd->clients[i];

        c->source.fd = -1;
        c->planned = i;
        c->expected = (uint16_t)(i % m->cycle);
        c->out_at = c->expected * (uint32_t)m->frame_size;
    }
    crowd->untried = crowd->n_clients;
    crowd->timeout_ns = crowd->options->timeout_us * 1000;
    timer_wheel_init(&crowd->wheel, crowd_now(crowd) / 1000000);
    suspects_init(&crowd->suspects, &crowd->loop, &crowd->wheel, crowd->stats, KIND_SUSPECT,
                  KIND_SUSPECT);
    return loop_init(&crowd->loop);
}

static uint64_t *ring(const struct crowd *crowd, const struct client *c)
{
    return crowd->due + (size_t)(c - crowd->clients) * crowd->options->pipeline;
}

static void set_timer(struct crowd *crowd, struct client *c, uint64_t ns)
{
    /* Rounded up, so that the time has really come. */
    timer_set(&crowd->wheel, &c->timer, ns / 1000000 + 1);
}

static void suspect(struct crowd *crowd, struct client *c, enum suspect kind)
{
    crowd->n_suspects += (kind != SUSPECT_NONE) - (c->suspicion.kind != SUSPECT_NONE);
    c->suspicion.kind = (uint8_t)kind;
}

void client_acquit(struct crowd *crowd, struct client *c)
{
    crowd->n_suspects -= c->suspicion.kind != SUSPECT_NONE;
    suspicion_acquit(&c->suspicion, crowd->stats);
}

/* Back to no connection. What was in flight has no reply to come. */
static void shut(struct crowd *crowd, struct client *c)
{
    client_acquit(crowd, c);
    if (c->source.state == CLIENT_OPEN)
        STAT_SET(crowd->stats->open, crowd->stats->open - 1);
    if (c->source.state == CLIENT_CONNECTING)
        crowd->connecting--;
    c->source.state = CLIENT_CLOSED;
    c->source.fd = close_fd(c->source.fd);
    timer_cancel(&c->timer);
    buffer_free(&c->partial);
    if (c->in_flight > 0)
        stats_error(crowd->stats, ERROR_UNANSWERED, c->in_flight);
    crowd->in_flight -= c->in_flight;
    c->in_flight = c->unsent = 0;
    c->progress_ns = 0;
    c->out_at = c->expected * (uint32_t)crowd->message->frame_size;
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
    if (c->suspicion.kind != SUSPECT_NONE && (kind == ERROR_CLOSED || kind == ERROR_RESET)) {
        suspect(crowd, c, SUSPECT_NONE);
        kind = ERROR_REFUSED;
    }
    stats_error(crowd->stats, kind, 1);
    shut(crowd, c);
    c->source.state = CLIENT_WAITING;
    /* Held connections are counted, not mended. */
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

/* The bytes that have not left yet. 0, also where the socket is full, or a negative errno. */
static int transmit(struct crowd *crowd, struct client *c)
{
    const struct message *m = crowd->message;
    uint32_t end = m->cycle * (uint32_t)m->frame_size;

    while (c->unsent > 0) {
        ssize_t n = send(c->source.fd, buffer_head(m->bytes) + c->out_at, c->unsent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            c->source.ready &= (uint8_t)~READY_OUT;
            return 0;
        }
        if (n < 0)
            return -errno;
        c->unsent -= (uint32_t)n;
        c->out_at += (uint32_t)n;
        /* More than once around, where the cycle is shorter than what is sent at once. */
        if (c->out_at >= end)
            c->out_at %= end;
        STAT_ADD(crowd->stats->counters.bytes_out, (uint64_t)n);
        if (c->source.state == CLIENT_OPEN)
            c->progress_ns = crowd->now_ns;
    }
    return 0;
}

/* A UNIX socket's connect() does not wait in the background: EAGAIN says that the server's queue is
 * full, and nothing will tell when it no longer is (connect(2)). */
static void retry_unix(struct crowd *crowd, struct client *c)
{
    c->source.fd = close_fd(c->source.fd);
    set_timer(crowd, c, crowd->now_ns + UNIX_RETRY_NS);
}

/* Registers a socket whose connection is under way or, on loopback, there already. */
static int watch(struct crowd *crowd, struct client *c, bool connected)
{
    int r;

    if (c->unsent > 0) {
        /* A handshake over loopback is complete when connect() returns, so that a message that
         * waits can go at once. */
        r = transmit(crowd, c);
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
    /* One that lives for a single message that is gone need never know that there is room. */
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

/* How many messages may go now. */
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

/* Puts n messages in flight; they leave with transmit(). */
static void claim(struct crowd *crowd, struct client *c, uint32_t n)
{
    uint32_t window = (uint32_t)crowd->options->pipeline, at = c->oldest + c->in_flight;
    uint64_t *due = ring(crowd, c);

    if (c->in_flight == 0)
        c->progress_ns = crowd->now_ns;
    for (uint32_t i = 0; i < n; i++, at++) {
        at = at >= window ? at - window : at;
        due[at] = crowd->now_ns;
        if (crowd->options->mode == MODE_OPEN) {
            due[at] = pacer_due(&crowd->pacer, c->planned);
            c->planned += crowd->n_clients;
        }
    }
    if (crowd->options->mode == MODE_CLOSED) {
        crowd->budget -= n;
    } else {
        c->owed -= n;
        crowd->owed -= n;
    }
    c->in_flight += n;
    crowd->in_flight += n;
    c->unsent += n * (uint32_t)crowd->message->frame_size;
    STAT_ADD(crowd->stats->counters.sent, n);
}

void client_advance(struct crowd *crowd, struct client *c)
{
    uint32_t n = allowance(crowd, c);
    int r;

    if (n > 0)
        claim(crowd, c, n);
    if (c->unsent == 0)
        return;
    if (c->source.state == CLIENT_CLOSED) {
        client_connect(crowd, c);
        return;
    }
    /* Re-armed only when it has expired, not for every message. */
    if (!timer_armed(&c->timer))
        set_timer(crowd, c, c->progress_ns + crowd->timeout_ns);
    if (!(c->source.ready & READY_OUT))
        return;
    r = transmit(crowd, c);
    if (r < 0)
        fail(crowd, c, error_from_errno(-r));
}

/* The latency of the oldest message in flight, which is in flight no more. */
static uint64_t take_oldest(struct crowd *crowd, struct client *c, uint64_t came)
{
    uint64_t from = ring(crowd, c)[c->oldest];

    c->oldest = c->oldest + 1 == crowd->options->pipeline ? 0 : c->oldest + 1;
    c->in_flight--;
    crowd->in_flight--;
    return came > from ? came - from : 0;
}

/* Counts replies, whose last byte has just been read.
 *
 * A reply read now may have waited while this process was busy with other connections. Where it is
 * the only one that can have come, it came before the loop's turn began, so that its time is known
 * better than now; otherwise it may have come at any moment since, and the latest is taken: the
 * server never looks better than it was. */
static void complete(struct crowd *crowd, struct client *c, const struct replies *replies)
{
    bool alone = c->in_flight == 1 && c->progress_ns < crowd->turn_ns;
    uint64_t came = alone ? crowd->turn_ns : crowd->now_ns;
    uint32_t n = MIN(replies->count, c->in_flight), unasked = replies->count - n;
    bool held = replies->refusal && unasked == 0;

    if (replies->count == 0)
        return;
    client_acquit(crowd, c);
    c->suspicion.mismatched = replies->last_mismatched;
    c->expected = (uint16_t)((c->expected + n) % crowd->message->cycle);
    for (uint32_t i = held ? 1 : 0; i < n; i++)
        stats_reply(crowd->stats, take_oldest(crowd, c, came));
    if (held)
        c->suspicion.latency_ns = take_oldest(crowd, c, came);
    if (replies->refusal)
        suspect(crowd, c, held ? SUSPECT_REPLY : SUSPECT_UNASKED);
    stats_error(crowd->stats, ERROR_UNEXPECTED, unasked - (replies->refusal && !held));
    if (n > 0)
        STAT_SET(crowd->stats->last_reply_ns, crowd->now_ns);
}

/* Reads once. Returns the number of bytes, 0 at the end of the stream, or a negative errno. */
static ssize_t receive(struct crowd *crowd, struct client *c)
{
    size_t have = buffer_size(c->partial);
    struct replies replies;
    ssize_t n;
    int r;

    n = recv(c->source.fd, crowd->scratch + have, RECEIVE_SIZE, 0);
    if (n < 0)
        return -errno;
    (void)crowd_now(crowd);
    STAT_ADD(crowd->stats->counters.bytes_in, (uint64_t)n);
    if (have > 0)
        memcpy(crowd->scratch, buffer_head(c->partial), have);
    r = replies_parse(crowd->options, crowd->message, crowd->scratch, have + (size_t)n, n == 0,
                      c->in_flight, c->expected, &c->partial, &replies);
    stats_error(crowd->stats, ERROR_MISMATCHED, replies.mismatched);
    complete(crowd, c, &replies);
    c->progress_ns = crowd->now_ns;
    return r < 0 ? r : n;
}

/* The server has ended the connection, which it may do when all is done. */
static void closed_by_server(struct crowd *crowd, struct client *c)
{
    if (c->in_flight == 0 && c->suspicion.kind == SUSPECT_NONE &&
        (crowd->ending || crowd->options->churn))
        shut(crowd, c);
    else
        fail(crowd, c, ERROR_CLOSED);
}

/* Reads until it is certain that an edge will tell of more, or its share of the turn is used up: a
 * server that sends without end must not keep the loop from the others, and from the clock. */
static void read_replies(struct crowd *crowd, struct client *c)
{
    bool tcp = crowd->target->sa.sa_family != AF_UNIX;

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
            fail(crowd, c, n == -EPROTO ? ERROR_PROTOCOL : error_from_errno((int)-n));
            return;
        }
        if (n == RECEIVE_SIZE || c->source.ready & ENDED)
            continue;
        /* A TCP socket that gave less than it could has no more, and when no reply is awaited
         * whatever comes next has an edge of its own: no need to be told EAGAIN. */
        if (tcp || c->in_flight == 0)
            break;
    }
    c->source.ready &= (uint8_t)~READY_IN;
}

static void connect_event(struct crowd *crowd, struct client *c)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (c->source.ready & (READY_ERR | READY_HUP)) {
        if (getsockopt(c->source.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
            error = errno;
        fail(crowd, c, error ? error_from_errno(error) : ERROR_RESET);
    } else if (c->source.ready & READY_OUT) {
        (void)crowd_now(crowd);
        established(crowd, c);
    }
}

/* --churn: the reply is there. */
static void end_churned(struct crowd *crowd, struct client *c)
{
    struct suspicion suspicion = c->suspicion;
    int fd;

    if (suspicion.kind == SUSPECT_NONE) {
        shut(crowd, c);
        return;
    }
    fd = STEAL_FD(c->source.fd);
    suspect(crowd, c, SUSPECT_NONE);
    shut(crowd, c);
    suspects_add(&crowd->suspects, fd, &suspicion, crowd->now_ns);
}

void client_event(struct crowd *crowd, struct client *c)
{
    if (c->source.state == CLIENT_CONNECTING)
        connect_event(crowd, c);
    if (c->source.state != CLIENT_OPEN)
        return;
    if (c->source.ready & (READY_IN | ENDED))
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
