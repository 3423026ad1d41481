/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answerd/connection.h"
#include "answerd/conversation.h"
#include "answerd/log.h"
#include "answerd/output.h"
#include "answerd/worker.h"
#include "base/macros.h"
#include "base/parse.h"

/* A peer that reads replies sees the end behind the last one, and sends no more. One that does not read
 * learns of it only when we close: soon, as long as that cannot destroy what it has not got. */
#define LINGER_MIN_MS  250
#define LINGER_MS      2000
#define LINGER_LOOK_MS 50 /* what the peer's kernel acknowledges is no event */

/* That no list names it any more, and its memory can be freed. */
static bool unnamed(const struct connection *c)
{
    return !c->source.queued && c->n_held == 0 && !(c->flags & CONNECTION_PARKED);
}

/* What the kernel holds that we shall not read. */
static size_t unread(const struct connection *c)
{
    int n;

    if (c->flags & CONNECTION_EOF || ioctl(c->source.fd, FIONREAD, &n) < 0)
        return 0;
    return (size_t)n;
}

/* Closes the socket, and gives back what others may be waiting for. */
static void give_back_place(struct worker *w, struct connection *c)
{
    (void)close(c->source.fd);
    c->source.fd = -1;
    c->source.ready = 0;
    if (c->flags & CONNECTION_COUNTED)
        address_limit_release(&w->shared->addresses, &c->peer);
    atomic_fetch_sub_explicit(&w->n_connections, 1, memory_order_relaxed);
    atomic_fetch_sub(&w->shared->n_connections, 1); /* before others are looked at: has_place() */
    worker_connection_gone(w);
}

static bool detached(const struct connection *c)
{
    return c->source.fd < 0;
}

void connection_close(struct worker *w, struct connection *c)
{
    if (connection_state(c) == CONNECTION_CLOSED)
        return;
    connection_discard(w, c, buffer_size(c->in) + unread(c), "the connection ended");
    c->source.state = CONNECTION_CLOSED;
    timer_cancel(&c->timer);
    connection_drop(w, &c->in);
    connection_drop(w, &c->out);
    if (detached(c))
        w->detached--;
    else
        give_back_place(w, c);
    if (unnamed(c))
        worker_bury(w, c);
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
    return connection_state(c) == CONNECTION_OPEN && c->in && !(c->flags & CONNECTION_PENDING);
}

static bool idle(const struct connection *c)
{
    return connection_state(c) == CONNECTION_OPEN && !c->out && !(c->flags & CONNECTION_PENDING);
}

static bool delivered(const struct connection *c)
{
    /* What a UNIX peer has not read yet is in its own queue, which our close() leaves alone. */
    return c->peer.is_unix || connection_in_flight(c) == 0;
}

static uint64_t linger_deadline(const struct worker *w, const struct connection *c)
{
    uint64_t min = c->active_ms + LINGER_MIN_MS, max = c->active_ms + LINGER_MS;

    if (c->flags & CONNECTION_BROKEN)
        return max;
    if (worker_ms(w) >= min)
        min = worker_ms(w) + LINGER_LOOK_MS;
    if (c->flags & CONNECTION_LIMITED)
        min = MIN(min, resume_ms(c));
    return MIN(min, max);
}

/* The nearest of all that may run out. While the connection waits for the recorder, parked or with
 * replies held, its peer is not to blame, and nothing does; nor may an error overtake a reply that
 * is held. */
static uint64_t deadline(const struct worker *w, const struct connection *c)
{
    const struct settings *s = c->settings;
    uint64_t d = TIMER_NEVER;

    if (c->flags & CONNECTION_PARKED || c->n_held > 0)
        return TIMER_NEVER;
    if (connection_state(c) == CONNECTION_LINGERING)
        return linger_deadline(w, c);
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

/* A timer that is armed too early costs one look when it runs out; re-arming it with every message
 * would cost more. */
static void arm(struct worker *w, struct connection *c)
{
    uint64_t d = deadline(w, c);

    if (d != TIMER_NEVER && (!timer_armed(&c->timer) || d < c->timer.expires))
        timer_set(&w->wheel, &c->timer, d);
}

static void cut_off(struct worker *w, struct connection *c, const char *what, uint64_t span_ms)
{
    struct log_connection who = connection_about(c);
    char span[SPAN_TEXT_MAX];

    count(&w->counters.timeouts, 1);
    log_connection_event(EVENT_TIMEOUT, &who, "cut off: %s for %s", what,
                         format_span(span_ms * 1000, span));
}

/* Says `error: REASON` behind the replies that are on their way, and reads nothing more. */
static void end_with_error(struct worker *w, struct connection *c, const char *reason)
{
    if (connection_state(c) == CONNECTION_OPEN)
        c->source.state = CONNECTION_FINISHING;
    c->flags |= CONNECTION_BROKEN;
    connection_discard_input(w, c, reason);
    buffer_clear(w->reply);
    /* Without memory for it, the connection ends without a word. */
    if (session_append_error(&c->settings->rules, reason, &w->reply) == 0)
        connection_transmit(w, c, buffer_head(w->reply), buffer_size(w->reply));
    buffer_clear(w->reply);
}

/* Discards what can be no message. */
static void linger(struct worker *w, struct connection *c)
{
    for (unsigned reads = 0; c->source.ready & READY_INPUT; reads++) {
        ssize_t n;

        if (reads == READS_PER_TURN) {
            loop_queue(&w->loop, &c->source);
            return;
        }
        n = recv(c->source.fd, w->scratch, READ_SIZE, 0);
        if (n > 0) {
            count(&w->counters.bytes_in, (uint64_t)n);
            connection_discard(w, c, (size_t)n, "it came behind an error");
        } else if (n < 0 && errno == EAGAIN) {
            c->source.ready &= (uint8_t)~READY_INPUT;
        } else if (n == 0 || errno != EINTR) {
            c->flags |= CONNECTION_EOF;
            connection_close(w, c);
            return;
        }
    }
}

/* Everything is sent. */
static void finish(struct worker *w, struct connection *c)
{
    bool silent = c->flags & CONNECTION_DRAINING && !(c->flags & CONNECTION_ANSWERED) && !c->in;

    if (c->flags & CONNECTION_EOF || (silent && delivered(c))) {
        connection_close(w, c);
        return;
    }
    (void)shutdown(c->source.fd,
                   SHUT_WR); /* fails where the peer is gone, which may have sent more */
    connection_lose(w, c);
    c->source.state = CONNECTION_LINGERING;
    c->active_ms = worker_ms(w);
    c->source.ready |= READY_IN;
    loop_queue(&w->loop, &c->source);
}

/* The peer has had its time, everything it was sent, and a chance to end what it had begun. */
static bool has_lingered(const struct worker *w, const struct connection *c)
{
    return connection_state(c) == CONNECTION_LINGERING && !c->in &&
           !(c->flags & (CONNECTION_BROKEN | CONNECTION_PARKED)) &&
           !(c->source.ready & READY_INPUT) && worker_ms(w) >= c->active_ms + LINGER_MIN_MS &&
           delivered(c);
}

static void linger_timeout(struct worker *w, struct connection *c)
{
    uint64_t now = worker_ms(w);

    if (now >= c->active_ms + LINGER_MS) {
        connection_close(w, c);
        return;
    }
    if (c->flags & CONNECTION_LIMITED && resume_ms(c) <= now)
        c->flags &= (uint16_t)~CONNECTION_LIMITED;
    c->source.ready |= READY_IN; /* only EAGAIN proves that nothing has arrived */
    loop_queue(&w->loop, &c->source);
}

/* The peer is gone, and waits for nothing. Where its messages have to wait, they do so here, and all of
 * them have arrived: nobody else needs to wait with them for a place. */
static void detach(struct worker *w, struct connection *c)
{
    if (c->source.ready & (READY_ERR | READY_HUP) &&
        c->flags & (CONNECTION_PARKED | CONNECTION_LIMITED))
        connection_read_rest(w, c);
    if (!(c->flags & CONNECTION_EOF) || detached(c))
        return;
    if (c->in) {
        c->source.state = CONNECTION_OPEN; /* no deadline but its rate's */
        w->detached++;
        give_back_place(w, c);
    } else {
        connection_close(w, c);
    }
}

/* The usual case: all messages are answered, and the timer, if there has to be one, is armed and not
 * for a deadline that is over, of a reply that was not taken for instance. */
static bool nothing_to_settle(const struct connection *c)
{
    return connection_state(c) == CONNECTION_OPEN && !c->in && !c->out && c->n_held == 0 &&
           !(c->flags & ~(CONNECTION_COUNTED | CONNECTION_ANSWERED)) &&
           !(c->source.ready & (READY_ERR | READY_HUP)) &&
           (c->settings->idle_ms == TIMER_NEVER ||
            (timer_armed(&c->timer) &&
             c->timer.expires <= after(c->active_ms, c->settings->idle_ms)));
}

/* The one place that decides what comes next. */
static void settle(struct worker *w, struct connection *c)
{
    bool busy = c->out || (c->n_held > 0 && !(c->flags & CONNECTION_GONE));

    if (nothing_to_settle(c))
        return;
    if (c->flags & CONNECTION_GONE && !(c->flags & CONNECTION_BROKEN))
        detach(w, c);
    if (connection_state(c) == CONNECTION_OPEN && c->flags & CONNECTION_DRAINING &&
        !(c->flags & CONNECTION_PENDING) && !(c->source.ready & READY_INPUT) && !busy)
        c->source.state = CONNECTION_FINISHING;
    if (connection_state(c) == CONNECTION_FINISHING && !busy)
        finish(w, c);
    if (has_lingered(w, c))
        connection_close(w, c);
    if (connection_state(c) != CONNECTION_CLOSED)
        arm(w, c);
}

/* The time that the peer was made to wait does not count. */
static void waited(struct worker *w, struct connection *c)
{
    if (connection_state(c) != CONNECTION_LINGERING)
        c->active_ms = worker_ms(w);
    if (c->in)
        c->in->stamp = worker_ms(w);
}

/* Only the time that it was parked does not count: under load it is parked again and again, and who
 * has not finished a message must not begin anew each time. */
bool connection_unpark(struct worker *w, struct connection *c, uint64_t ms)
{
    uint64_t now = worker_ms(w);

    c->flags &= (uint16_t)~CONNECTION_PARKED;
    if (connection_state(c) == CONNECTION_CLOSED) {
        if (unnamed(c))
            worker_bury(w, c);
        return false;
    }
    c->active_ms = MIN(now, c->active_ms + ms);
    if (c->in)
        c->in->stamp = MIN(now, c->in->stamp + ms);
    if (c->out)
        c->out->stamp = MIN(now, c->out->stamp + ms);
    return true;
}

void connection_dispatch(struct worker *w, struct connection *c)
{
    if (connection_state(c) == CONNECTION_CLOSED) {
        if (unnamed(c))
            worker_bury(w, c);
        return;
    }
    if (c->source.ready & (READY_ERR | READY_HUP))
        connection_lose(w, c);
    if (c->out)
        connection_flush(w, c);
    if (connection_state(c) == CONNECTION_LINGERING && c->flags & CONNECTION_BROKEN)
        linger(w, c); /* even while parked: nothing is recorded any more */
    else if (!(c->flags & CONNECTION_PARKED))
        connection_converse(w, c);
    else if (!(c->flags & CONNECTION_GONE))
        return;
    settle(w, c);
}

/* Reading may have stopped for what was held, and then no edge is owed. */
static void read_on(struct worker *w, struct connection *c)
{
    if ((c->flags & CONNECTION_PENDING || c->source.ready & READY_INPUT) &&
        !(c->flags & CONNECTION_PARKED) && connection_wants_input(w, c))
        loop_queue(&w->loop, &c->source);
}

void connection_release(struct worker *w, struct connection *c, const uint8_t *bytes, size_t size,
                        unsigned n)
{
    c->n_held -= n;
    if (connection_state(c) == CONNECTION_CLOSED) {
        if (unnamed(c))
            worker_bury(w, c);
        return;
    }
    waited(w, c);
    if (!(c->flags & CONNECTION_REFUSED))
        connection_transmit(w, c, bytes, size);
    read_on(w, c);
    settle(w, c);
}

void connection_refuse(struct worker *w, struct connection *c, int error)
{
    struct log_connection who = connection_about(c);

    log_connection_event(EVENT_RECORD_REFUSED, &who, "cut off: a message cannot be recorded: %s",
                         strerror(-error));
    c->n_held--;
    if (connection_state(c) == CONNECTION_CLOSED) {
        if (unnamed(c))
            worker_bury(w, c);
        return;
    }
    if (!(c->flags & CONNECTION_REFUSED))
        end_with_error(w, c, "message cannot be recorded");
    c->flags |= CONNECTION_REFUSED;
    settle(w, c);
}

void connection_timeout(struct worker *w, struct connection *c)
{
    const struct settings *s = c->settings;
    uint64_t now = worker_ms(w);

    /* While replies are held, it is settled when they are released. */
    if (connection_state(c) == CONNECTION_LINGERING && c->n_held == 0) {
        linger_timeout(w, c);
        return;
    }
    if (deadline(w, c) > now) {
        arm(w, c);
        return;
    }
    if (c->out && after(c->out->stamp, s->write_ms) <= now) {
        if (connection_progresses(w, c)) {
            arm(w, c);
        } else {
            cut_off(w, c, "took no reply", s->write_ms);
            connection_reset(w, c);
        }
    } else if (c->flags & CONNECTION_LIMITED && resume_ms(c) <= now) {
        c->flags &= (uint16_t)~CONNECTION_LIMITED;
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
    /* Its memory is still there until the turn's end, but the ready list must not name it again. */
    if (connection_state(c) == CONNECTION_CLOSED)
        return;
    c->flags = (uint16_t)((c->flags | CONNECTION_DRAINING) & ~CONNECTION_ANSWERED);
    if (!(c->flags & CONNECTION_EOF))
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

void connection_give_up(struct worker *w, int fd, const struct peer *peer,
                        struct settings *settings, bool counted, int error)
{
    log_event(error == -ENOMEM ? EVENT_MEMORY_LIMIT : EVENT_ACCEPT_FAILED,
              "a connection could not be taken: %s", strerror(-error));
    connection_give_back(w, fd, peer, settings, counted);
}

int connection_open(struct worker *w, int fd, const struct peer *peer, struct settings *settings,
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
        r = registered ? loop_rebind(&w->loop, &c->source, CONNECTION_EVENTS)
                       : loop_add(&w->loop, &c->source, CONNECTION_EVENTS);
    }
    if (r < 0) {
        if (c)
            pool_free(&w->connections, c);
        return r;
    }
    c->session.number =
        atomic_fetch_add_explicit(&w->shared->next_connection, 1, memory_order_relaxed) + 1;
    count(&w->counters.accepted, 1);
    if (w->draining)
        connection_drain(w, c);
    arm(w, c);
    return 0;
}
