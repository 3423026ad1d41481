/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answerd/connection.h"
#include "answerd/log.h"
#include "answerd/worker.h"
#include "base/macros.h"
#include "base/parse.h"

/* A connection's share of a turn. One recv() of READ_SIZE and so many messages keep a flooder from holding up others
 * for more than a few hundred microseconds; a message that is written down costs some ten times as much. */
#define READS_PER_TURN    4
#define MESSAGES_PER_TURN 1024
#define RECORDS_PER_TURN  64
#define LINGER_MS         2000
#define READY_INPUT       (READY_IN | READY_PRI | READY_RDHUP | READY_HUP | READY_ERR)

static enum connection_state state_of(const struct connection *c)
{
    return (enum connection_state)c->source.state;
}

static struct log_connection about(const struct connection *c)
{
    return (struct log_connection){ .peer = &c->peer,
                                    .listener = c->settings->name,
                                    .number = c->session.number };
}

/* Appends to a buffer of the connection's own. False where memory or its limit is at an end. */
static bool keep(struct worker *w, struct buffer **b, const uint8_t *bytes, size_t n)
{
    size_t before = *b ? (*b)->capacity : 0;

    if (w->memory + n > atomic_load_explicit(&w->shared->memory_limit, memory_order_relaxed) ||
        buffer_append(b, bytes, n) < 0)
        return false;
    if (before == 0)
        (*b)->stamp = worker_ms(w);
    w->memory += (*b)->capacity - before;
    return true;
}

static void drop(struct worker *w, struct buffer **b)
{
    if (*b)
        w->memory -= (*b)->capacity;
    buffer_free(b);
}

void connection_close(struct worker *w, struct connection *c)
{
    if (state_of(c) == CONNECTION_CLOSED)
        return;
    c->source.state = CONNECTION_CLOSED;
    timer_cancel(&c->timer);
    (void)close(c->source.fd);
    drop(w, &c->in);
    drop(w, &c->out);
    if (c->flags & CONNECTION_COUNTED)
        address_limit_release(&w->shared->addresses, &c->peer);
    atomic_fetch_sub_explicit(&w->n_connections, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&w->shared->n_connections, 1, memory_order_relaxed);
    worker_connection_gone(w);
    if (!c->source.queued && c->n_held == 0)
        worker_bury(w, c);
}

/* With an RST, which frees at once what the kernel still holds for a peer that does not take it (socket(7)). */
static void reset(struct worker *w, struct connection *c)
{
    (void)setsockopt(c->source.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 },
                     sizeof(struct linger));
    connection_close(w, c);
}

/* This one needs memory that there is not: it ends, so that all others go on. */
static void shed(struct worker *w, struct connection *c)
{
    struct log_connection who = about(c);

    count(&w->counters.shed, 1);
    log_connection_event(EVENT_MEMORY_LIMIT, &who,
                         "cut off: no memory for its buffers; MemoryLimit= says how much there is");
    reset(w, c);
}

/* Sends until all is gone or the kernel takes no more. Returns the number of bytes gone; the connection may be closed
 * after it. Only EAGAIN ends readiness: after a short write alone no edge would be owed. */
static size_t transmit_now(struct worker *w, struct connection *c, const uint8_t *bytes, size_t n)
{
    size_t sent = 0;

    while (sent < n && c->source.ready & READY_OUT) {
        ssize_t r = send(c->source.fd, bytes + sent, n - sent, MSG_NOSIGNAL);

        if (r >= 0) {
            sent += (size_t)r;
        } else if (errno == EAGAIN) {
            c->source.ready &= (uint8_t)~READY_OUT;
        } else if (errno != EINTR) {
            connection_close(w, c);
            break;
        }
    }
    count(&w->counters.bytes_out, sent);
    return sent;
}

static void transmit(struct worker *w, struct connection *c, const uint8_t *bytes, size_t n)
{
    size_t sent = 0;

    if (state_of(c) >= CONNECTION_LINGERING || n == 0)
        return;
    c->flags |= CONNECTION_ANSWERED;
    if (!c->out)
        sent = transmit_now(w, c, bytes, n);
    if (sent < n && state_of(c) != CONNECTION_CLOSED && !keep(w, &c->out, bytes + sent, n - sent))
        shed(w, c);
}

static void flush(struct worker *w, struct connection *c)
{
    size_t sent;

    if (!c->out)
        return;
    sent = transmit_now(w, c, buffer_head(c->out), buffer_size(c->out));
    if (state_of(c) == CONNECTION_CLOSED || sent == 0)
        return;
    buffer_consume(c->out, sent);
    c->out->stamp = worker_ms(w);
    if (buffer_size(c->out) == 0)
        drop(w, &c->out);
}

static uint64_t after(uint64_t ms, uint64_t span)
{
    return span == TIMER_NEVER ? TIMER_NEVER : ms + span;
}

static uint64_t resume_ms(const struct connection *c)
{
    return session_resume_us(&c->session, &c->settings->rules) / 1000 + 1;
}

/* A message that has begun and that we are waiting for, and not it for us. */
static bool message_unfinished(const struct connection *c)
{
    return state_of(c) == CONNECTION_OPEN && c->in && !(c->flags & CONNECTION_PENDING);
}

static bool idle(const struct connection *c)
{
    return state_of(c) == CONNECTION_OPEN && !c->out && !(c->flags & CONNECTION_PENDING);
}

/* The nearest of all that may run out. While the connection is parked its peer is not to blame, and nothing does. */
static uint64_t deadline(const struct connection *c)
{
    const struct settings *s = c->settings;
    uint64_t d = TIMER_NEVER;

    if (c->flags & CONNECTION_PARKED)
        return TIMER_NEVER;
    if (state_of(c) == CONNECTION_LINGERING)
        return c->active_ms + LINGER_MS;
    if (c->out)
        d = after(c->out->stamp, s->write_ms);
    if (message_unfinished(c))
        d = MIN(d, after(c->in->stamp, s->message_ms));
    if (idle(c))
        d = MIN(d, after(c->active_ms, s->idle_ms));
    if (c->flags & CONNECTION_LIMITED)
        d = MIN(d, resume_ms(c));
    return d;
}

/* A timer that is armed too early costs one look when it runs out; re-arming it with every message would cost more. */
static void arm(struct worker *w, struct connection *c)
{
    uint64_t d = deadline(c);

    if (d != TIMER_NEVER && (!timer_armed(&c->timer) || d < c->timer.expires))
        timer_set(&w->wheel, &c->timer, d);
}

static void cut_off(struct worker *w, struct connection *c, const char *what, uint64_t span_ms)
{
    struct log_connection who = about(c);
    char span[SPAN_TEXT_MAX];

    count(&w->counters.timeouts, 1);
    log_connection_event(EVENT_TIMEOUT, &who, "cut off: %s for %s", what,
                         format_span(span_ms * 1000, span));
}

/* Says `error: REASON` behind the replies that are on their way, and reads nothing more. */
static void end_with_error(struct worker *w, struct connection *c, const char *reason)
{
    c->source.state = CONNECTION_FINISHING;
    drop(w, &c->in);
    buffer_clear(w->reply);
    /* Without memory for it, the connection ends without a word. */
    if (session_append_error(&c->settings->rules, reason, &w->reply) == 0)
        transmit(w, c, buffer_head(w->reply), buffer_size(w->reply));
    buffer_clear(w->reply);
}

struct feeding {
    struct connection *connection;
    struct recorder *recorder;
    size_t staged; /* bytes of replies that belong to records */
    bool show;
};

static int on_record(void *userdata, const struct record *record, size_t reply_size)
{
    struct feeding *f = userdata;
    int r = sink_stage(&f->recorder->sink, record);

    if (r < 0)
        return r;
    recorder_hold(f->recorder, f->connection, reply_size);
    f->staged += reply_size;
    if (f->show)
        recorder_show(f->recorder, record);
    return 0;
}

/* Replies that answer no record: all of them where nothing is written down, else an error's. They go at once, unless
 * there are held ones to go before. */
static void pass_on(struct worker *w, struct connection *c, struct recorder *recorder,
                    struct buffer *replies, size_t n)
{
    if (n == 0)
        return;
    if (recorder && c->n_held > 0) {
        recorder_extend(recorder, n);
        return;
    }
    transmit(w, c, buffer_tail(replies) - n, n);
    buffer_truncate(replies, buffer_size(replies) - n);
}

static enum session_status feed(struct worker *w, struct connection *c, const uint8_t *in, size_t n,
                                size_t *scanned, size_t *ret_used)
{
    const struct settings *s = c->settings;
    struct recorder *recorder = worker_recorder(w, s);
    struct buffer **replies = recorder ? &recorder->replies : &w->reply;
    struct feeding feeding = { .connection = c, .recorder = recorder, .show = w->shared->show };
    char peer[PEER_TEXT_MAX] = "", port[PEER_TEXT_MAX] = "", name[PEER_TEXT_MAX] = "";
    size_t before = buffer_size(*replies);
    uint64_t seq = c->session.seq;
    enum session_status status;
    enum frame_error error;
    struct session_feed f = {
        .rules = &s->rules,
        .now = w->now,
        .run_id = w->shared->run_id,
        .peer = peer,
        .peer_port = port,
        .peer_name = name,
        .listener = s->name,
        .reply = replies,
        .reply_limit = before + s->output_limit - MIN(s->output_limit, buffer_size(c->out)),
        .message_limit = recorder ? RECORDS_PER_TURN : MESSAGES_PER_TURN,
        .record = recorder ? on_record : NULL,
        .userdata = &feeding,
    };

    if (recorder || template_uses_peer(s->reply)) {
        (void)peer_format_address(&c->peer, peer);
        (void)peer_format_port(&c->peer, port);
        (void)peer_format(&c->peer, name);
    }
    status =
        session_feed(&c->session, &f, in, n, c->flags & CONNECTION_EOF, scanned, ret_used, &error);
    if (c->session.seq > seq) {
        count(&w->counters.messages, c->session.seq - seq);
        c->active_ms = worker_ms(w);
    }
    if (status == SESSION_FAILED) {
        struct log_connection who = about(c);

        count(&w->counters.protocol_errors, 1);
        log_connection_event(EVENT_PROTOCOL_ERROR, &who, "cut off: %s (%s framing)",
                             frame_error_text(error), framing_name(s->rules.framing));
    }
    pass_on(w, c, recorder, *replies, buffer_size(*replies) - before - feeding.staged);
    return status;
}

/* What follows from a feed, once its input is put away. */
static void after_feed(struct worker *w, struct connection *c, enum session_status status)
{
    c->flags &= (uint8_t) ~(CONNECTION_PENDING | CONNECTION_LIMITED);
    switch (status) {
    case SESSION_HUNGRY:
        break;
    case SESSION_LIMITED:
        c->flags |= CONNECTION_PENDING | CONNECTION_LIMITED;
        break;
    case SESSION_STOPPED:
        c->flags |= CONNECTION_PENDING;
        break;
    case SESSION_ENDED:
        c->source.state = CONNECTION_FINISHING;
        break;
    case SESSION_FAILED:
        drop(w, &c->in);
        c->source.state = CONNECTION_FINISHING;
        break;
    case SESSION_NOMEM:
        shed(w, c);
        break;
    }
}

/* Answers what is in bytes[n], which follows what `in` holds. What cannot be used yet stays in `in`. */
static void take(struct worker *w, struct connection *c, const uint8_t *bytes, size_t n)
{
    size_t scanned = 0, used = 0;
    enum session_status status;

    if (!c->in) {
        status = feed(w, c, bytes, n, &scanned, &used);
        if (state_of(c) == CONNECTION_CLOSED)
            return;
        if (used < n && status != SESSION_FAILED) {
            if (!keep(w, &c->in, bytes + used, n - used)) {
                shed(w, c);
                return;
            }
            c->in->scanned = scanned;
        }
    } else {
        if (n > 0 && !keep(w, &c->in, bytes, n)) {
            shed(w, c);
            return;
        }
        status = feed(w, c, buffer_head(c->in), buffer_size(c->in), &c->in->scanned, &used);
        if (state_of(c) == CONNECTION_CLOSED)
            return;
        scanned = c->in->scanned;
        buffer_consume(c->in, used);
        c->in->scanned = scanned;
        if (used > 0)
            c->in->stamp = worker_ms(w);
        if (buffer_size(c->in) == 0)
            drop(w, &c->in);
    }
    after_feed(w, c, status);
}

/* Whether a read that returned less than it asked for has emptied the socket, so that EAGAIN need not be seen. True
 * for TCP alone, and only while there is no end of stream, error or urgent mark for recv() to stop at: on AF_UNIX it
 * also stops where credentials or descriptors were attached. */
static bool short_read_drains(const struct connection *c)
{
    return !c->peer.is_unix && !(c->source.ready & (READY_INPUT & ~READY_IN));
}

/* One recv(). False when there is nothing more. */
static bool receive(struct worker *w, struct connection *c)
{
    size_t want = READ_SIZE;
    ssize_t n;

    /* In chunk framing a read is a message, and one byte more than allowed says that it is too long. */
    if (c->settings->rules.framing == FRAMING_CHUNK)
        want = MIN(want, c->settings->rules.max_message + 1);
    n = recv(c->source.fd, w->scratch, want, 0);
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno == EAGAIN) {
        c->source.ready &= (uint8_t)~READY_INPUT;
        return false;
    }
    if (n < 0) {
        connection_close(w, c);
        return false;
    }
    if (n == 0)
        c->flags |= CONNECTION_EOF;
    else if ((size_t)n < want && short_read_drains(c))
        c->source.ready &= (uint8_t)~READY_IN;
    count(&w->counters.bytes_in, (uint64_t)n);
    take(w, c, w->scratch, (size_t)n);
    return true;
}

/* Reading stops while the peer does not take its replies, or has used up its rate. */
static bool wants_input(const struct connection *c)
{
    return state_of(c) == CONNECTION_OPEN && !(c->flags & CONNECTION_LIMITED) &&
           buffer_size(c->out) < c->settings->output_limit;
}

static void read_and_answer(struct worker *w, struct connection *c)
{
    struct recorder *recorder = worker_recorder(w, c->settings);

    for (unsigned reads = 0; wants_input(c); reads++) {
        if (recorder && !recorder_ready(recorder)) {
            c->flags |= CONNECTION_PARKED;
            recorder_park(recorder, &c->source);
            return;
        }
        if (reads == READS_PER_TURN) {
            loop_queue(&w->loop, &c->source);
            return;
        }
        if (c->flags & CONNECTION_PENDING) {
            take(w, c, NULL, 0);
            reads = READS_PER_TURN - 1; /* its share was used up when this was left over */
        } else if (!(c->source.ready & READY_INPUT) || !receive(w, c)) {
            return;
        }
    }
}

static void linger(struct worker *w, struct connection *c)
{
    for (unsigned reads = 0; c->source.ready & READY_INPUT; reads++) {
        ssize_t n;

        if (reads == READS_PER_TURN) {
            loop_queue(&w->loop, &c->source);
            return;
        }
        n = recv(c->source.fd, w->scratch, READ_SIZE, 0);
        if (n < 0 && errno == EAGAIN) {
            c->source.ready &= (uint8_t)~READY_INPUT;
        } else if (n == 0 || (n < 0 && errno != EINTR)) {
            connection_close(w, c);
            return;
        }
    }
}

/* Everything is sent. */
static void finish(struct worker *w, struct connection *c)
{
    bool silent = c->flags & CONNECTION_DRAINING && !(c->flags & CONNECTION_ANSWERED);

    if (c->flags & CONNECTION_EOF || silent || shutdown(c->source.fd, SHUT_WR) < 0) {
        connection_close(w, c);
        return;
    }
    c->source.state = CONNECTION_LINGERING;
    c->active_ms = worker_ms(w);
    c->source.ready |= READY_IN;
    linger(w, c);
}

/* The one place that decides what comes next. */
static void settle(struct worker *w, struct connection *c)
{
    bool busy = c->out || c->n_held > 0;

    if (state_of(c) == CONNECTION_OPEN && c->flags & CONNECTION_DRAINING &&
        !(c->flags & CONNECTION_PENDING) && !(c->source.ready & READY_INPUT) && !busy)
        c->source.state = CONNECTION_FINISHING;
    /* An error while nothing is read would otherwise go unseen: the peer is gone. */
    if (state_of(c) != CONNECTION_CLOSED && c->source.ready & READY_ERR && !wants_input(c))
        connection_close(w, c);
    if (state_of(c) == CONNECTION_FINISHING && !busy)
        finish(w, c);
    if (state_of(c) != CONNECTION_CLOSED)
        arm(w, c);
}

static void unpark(struct worker *w, struct connection *c)
{
    if (!(c->flags & CONNECTION_PARKED))
        return;
    c->flags &= (uint8_t)~CONNECTION_PARKED;
    /* The time that it was made to wait does not count. */
    c->active_ms = worker_ms(w);
    if (c->in)
        c->in->stamp = worker_ms(w);
    if (c->out)
        c->out->stamp = worker_ms(w);
}

void connection_dispatch(struct worker *w, struct connection *c)
{
    if (state_of(c) == CONNECTION_CLOSED) {
        if (c->n_held == 0)
            worker_bury(w, c);
        return;
    }
    unpark(w, c);
    flush(w, c);
    if (state_of(c) == CONNECTION_OPEN)
        read_and_answer(w, c);
    else if (state_of(c) == CONNECTION_LINGERING)
        linger(w, c);
    settle(w, c);
}

void connection_release(struct worker *w, struct connection *c, const uint8_t *bytes, size_t size,
                        unsigned n)
{
    c->n_held -= n;
    if (state_of(c) == CONNECTION_CLOSED) {
        if (c->n_held == 0 && !c->source.queued)
            worker_bury(w, c);
        return;
    }
    transmit(w, c, bytes, size);
    settle(w, c);
}

void connection_timeout(struct worker *w, struct connection *c)
{
    const struct settings *s = c->settings;
    uint64_t now = worker_ms(w);

    if (deadline(c) > now) {
        arm(w, c);
        return;
    }
    if (state_of(c) == CONNECTION_LINGERING) {
        connection_close(w, c);
    } else if (c->out && after(c->out->stamp, s->write_ms) <= now) {
        cut_off(w, c, "took no reply", s->write_ms);
        reset(w, c);
    } else if (c->flags & CONNECTION_LIMITED && resume_ms(c) <= now) {
        c->flags &= (uint8_t)~CONNECTION_LIMITED;
        loop_queue(&w->loop, &c->source);
    } else if (message_unfinished(c) && after(c->in->stamp, s->message_ms) <= now) {
        cut_off(w, c, "sent an unfinished message", s->message_ms);
        end_with_error(w, c, "message not complete in time");
        settle(w, c);
    } else {
        cut_off(w, c, "sent no message", s->idle_ms);
        c->source.state = CONNECTION_FINISHING;
        settle(w, c);
    }
}

void connection_drain(struct worker *w, struct connection *c)
{
    c->flags = (uint8_t)((c->flags | CONNECTION_DRAINING) & ~CONNECTION_ANSWERED);
    c->source.ready |= READY_IN; /* only EAGAIN proves that nothing has arrived */
    loop_queue(&w->loop, &c->source);
}

void connection_give_back(struct worker *w, int fd, const struct peer *peer,
                          struct settings *settings, bool counted)
{
    (void)close(fd);
    if (counted)
        address_limit_release(&w->shared->addresses, peer);
    settings_unref(settings);
    atomic_fetch_sub_explicit(&w->n_connections, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&w->shared->n_connections, 1, memory_order_relaxed);
}

void connection_open(struct worker *w, int fd, const struct peer *peer, struct settings *settings,
                     bool counted, bool registered)
{
    struct connection *c = pool_alloc(&w->connections);
    int r = -ENOMEM;

    if (c) {
        c->source = (struct source){
            .fd = fd, .kind = SOURCE_CONNECTION, .state = CONNECTION_OPEN, .ready = READY_OUT
        };
        c->settings = settings;
        c->peer = *peer;
        c->flags = counted ? CONNECTION_COUNTED : 0;
        c->active_ms = worker_ms(w);
        c->session.number =
            atomic_fetch_add_explicit(&w->shared->next_connection, 1, memory_order_relaxed) + 1;
        r = registered ? loop_rebind(&w->loop, &c->source, CONNECTION_EVENTS)
                       : loop_add(&w->loop, &c->source, CONNECTION_EVENTS);
    }
    if (r < 0) {
        log_event(EVENT_MEMORY_LIMIT, "a connection could not be taken: %s", strerror(-r));
        if (c)
            pool_free(&w->connections, c);
        connection_give_back(w, fd, peer, settings, counted);
        return;
    }
    count(&w->counters.accepted, 1);
    if (w->draining)
        connection_drain(w, c);
    arm(w, c);
}
