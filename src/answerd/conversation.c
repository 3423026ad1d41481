/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "answerd/conversation.h"
#include "answerd/log.h"
#include "answerd/output.h"
#include "answerd/worker.h"
#include "base/macros.h"
#include "net/socket.h"

/* So many messages keep a flooder from holding up others for more than a few hundred microseconds;
 * one that is written down costs some ten times as much as one that is not. */
#define MESSAGES_PER_TURN 1024
#define RECORDS_PER_TURN  64
#define READ_MIN          4096 /* below it, reading would cost more than the memory is worth */

static const char behind_error[] = "it broke the framing";
static const char out_of_memory[] = "no memory for it";

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

/* Replies that answer no record: all of them where nothing is written down, else an error's. They
 * go at once, unless there are held ones to go before. */
static void pass_on(struct worker *w, struct connection *c, struct recorder *recorder,
                    struct buffer *replies, size_t n)
{
    if (n == 0)
        return;
    if (recorder && c->n_held > 0) {
        recorder_extend(recorder, c, n);
        return;
    }
    connection_transmit(w, c, buffer_tail(replies) - n, n);
    buffer_truncate(replies, buffer_size(replies) - n);
}

/* Only then is what is left at the end of the stream a last message, or a broken one. */
static bool ended_in_order(const struct connection *c)
{
    return (c->flags & (CONNECTION_EOF | CONNECTION_RESET)) == CONNECTION_EOF;
}

/* Bytes of replies that the peer will be sent, and that wait. */
static size_t owed(struct worker *w, const struct connection *c)
{
    size_t unsent = buffer_size(c->out);

    if (c->n_held == 0 || c->flags & CONNECTION_GONE)
        return unsent;
    return unsent + recorder_held(worker_recorder(w, c->settings), c);
}

static enum session_status feed(struct worker *w, struct connection *c, const uint8_t *in, size_t n,
                                size_t *scanned, size_t *ret_used)
{
    const struct settings *s = c->settings;
    struct recorder *recorder = worker_recorder(w, s);
    struct buffer **replies = recorder ? &recorder->replies : &w->reply;
    struct feeding feeding = {
        .connection = c,
        .recorder = recorder,
        /* as in worker_ms(): NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        .show = w->shared->show && recorder == &w->journal
    };
    char peer[PEER_TEXT_MAX], port[PEER_TEXT_MAX], name[PEER_TEXT_MAX];
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
        .reply_limit = before + s->output_limit - MIN(s->output_limit, owed(w, c)),
        .message_limit = recorder ? RECORDS_PER_TURN : MESSAGES_PER_TURN,
        .record = recorder ? on_record : NULL,
        .userdata = &feeding,
    };

    peer[0] = port[0] = name[0] = '\0';
    if (recorder || template_uses_peer(s->reply)) {
        (void)peer_format_address(&c->peer, peer);
        (void)peer_format_port(&c->peer, port);
        (void)peer_format(&c->peer, name);
    }
    status = session_feed(&c->session, &f, in, n, ended_in_order(c), scanned, ret_used, &error);
    if (c->session.seq > seq) {
        count(&w->counters.messages, c->session.seq - seq);
        if (connection_state(c) == CONNECTION_OPEN)
            c->active_ms = worker_ms(w);
    }
    if (status == SESSION_FAILED) {
        struct log_connection who = connection_about(c);

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
    c->flags &= (uint16_t) ~(CONNECTION_PENDING | CONNECTION_LIMITED);
    switch (status) {
    case SESSION_HUNGRY:
        if (!(c->flags & CONNECTION_EOF))
            break;
        connection_discard_input(w, c, "the connection was reset within a message");
        c->source.state = CONNECTION_FINISHING;
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
        connection_discard_input(w, c, behind_error);
        c->flags |= CONNECTION_BROKEN;
        if (connection_state(c) == CONNECTION_OPEN)
            c->source.state = CONNECTION_FINISHING;
        break;
    case SESSION_NOMEM:
        connection_shed(w, c);
        break;
    }
}

/* Answers what is in bytes[n], which follows what `in` holds. What cannot be used yet stays in
 * `in`. */
static void take(struct worker *w, struct connection *c, const uint8_t *bytes, size_t n)
{
    size_t scanned = 0, used = 0;
    enum session_status status;

    if (!c->in) {
        status = feed(w, c, bytes, n, &scanned, &used);
        if (connection_state(c) == CONNECTION_CLOSED) {
            connection_discard(w, c, n - used, out_of_memory);
            return;
        }
        if (status == SESSION_FAILED) {
            connection_discard(w, c, n - used, behind_error);
        } else if (used < n) {
            if (!connection_keep(w, &c->in, bytes + used, n - used)) {
                connection_discard(w, c, n - used, out_of_memory);
                connection_shed(w, c);
                return;
            }
            c->in->scanned = scanned;
        }
    } else {
        if (n > 0 && !connection_keep(w, &c->in, bytes, n)) {
            connection_discard(w, c, n, out_of_memory);
            connection_shed(w, c);
            return;
        }
        status = feed(w, c, buffer_head(c->in), buffer_size(c->in), &c->in->scanned, &used);
        if (connection_state(c) == CONNECTION_CLOSED)
            return;
        scanned = c->in->scanned;
        buffer_consume(c->in, used);
        c->in->scanned = scanned;
        if (used > 0)
            c->in->stamp = worker_ms(w);
        if (buffer_size(c->in) == 0)
            connection_drop(w, &c->in);
    }
    after_feed(w, c, status);
}

/* Whether a read that returned less than it asked for has emptied the socket, so that EAGAIN need
 * not be seen. True for TCP alone, and only while there is no end of stream, error or urgent mark
 * for recv() to stop at: on AF_UNIX it also stops where credentials or descriptors were
 * attached. */
static bool short_read_drains(const struct connection *c)
{
    return !c->peer.is_unix && !(c->source.ready & (READY_INPUT & ~READY_IN));
}

/* One recv(). False when there is nothing more. */
static bool receive(struct worker *w, struct connection *c)
{
    size_t want = READ_SIZE;
    ssize_t n;

    /* In chunk framing a read is a message, and one byte more than allowed says that it is too
     * long. Elsewhere a peer that takes no replies gets no more kept of what it asks than of what
     * it is told. */
    if (c->settings->rules.framing == FRAMING_CHUNK)
        want = MIN(want, c->settings->rules.max_message + 1);
    else
        want = MIN(want, MAX(c->settings->output_limit, (size_t)READ_MIN));
    n = socket_recv(c->source.fd, w->scratch, want);
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && errno == EAGAIN) {
        c->source.ready &= (uint8_t)~READY_INPUT;
        return false;
    }
    if (n < 0) {
        c->flags |= CONNECTION_RESET;
        connection_lose(w, c);
        n = 0;
    }
    if (n == 0)
        c->flags |= CONNECTION_EOF;
    else if ((size_t)n < want && short_read_drains(c))
        c->source.ready &= (uint8_t)~READY_IN;
    count(&w->counters.bytes_in, (uint64_t)n);
    take(w, c, w->scratch, (size_t)n);
    return true;
}

/* In chunk framing `in` is one message: what is read behind another makes it longer, which may be as
 * long as a message may be, and a first one by the byte that says that it is too long. */
static size_t room_for_rest(const struct worker *w, const struct connection *c)
{
    size_t max = c->settings->rules.max_message, size = buffer_size(c->in), room = READ_SIZE;

    if (c->settings->rules.framing == FRAMING_CHUNK)
        room = size == 0 ? max + 1 : max - MIN(max, size);
    return MIN(room, connection_room(w));
}

void connection_read_rest(struct worker *w, struct connection *c)
{
    bool full = false;

    while (!(c->flags & CONNECTION_EOF)) {
        ssize_t n = socket_recv(c->source.fd, w->scratch, READ_SIZE);
        size_t kept;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            c->source.ready &= (uint8_t)~READY_INPUT;
            break;
        }
        if (n <= 0) {
            c->flags |= n < 0 ? CONNECTION_EOF | CONNECTION_RESET : CONNECTION_EOF;
            break;
        }
        count(&w->counters.bytes_in, (uint64_t)n);
        kept = full ? 0 : MIN((size_t)n, room_for_rest(w, c));
        if (kept > 0 && !connection_keep(w, &c->in, w->scratch, kept))
            kept = 0;
        full = kept < (size_t)n; /* what comes behind a gap is no message of the peer's */
        connection_discard(w, c, (size_t)n - kept, out_of_memory);
    }
    if (full)
        c->flags |= CONNECTION_RESET; /* no more than the beginning of the stream */
    if (c->in)
        c->flags |= CONNECTION_PENDING;
}

bool connection_wants_input(struct worker *w, const struct connection *c)
{
    enum connection_state state = connection_state(c);

    return (state == CONNECTION_OPEN || state == CONNECTION_LINGERING) &&
           !(c->flags & (CONNECTION_LIMITED | CONNECTION_BROKEN)) &&
           owed(w, c) < c->settings->output_limit;
}

void connection_converse(struct worker *w, struct connection *c)
{
    struct recorder *recorder = worker_recorder(w, c->settings);

    for (unsigned reads = 0; connection_wants_input(w, c); reads++) {
        bool full = recorder && !recorder_ready(recorder);

        /* One that has had its share, and has perhaps filled the batch, waits behind all others. */
        if (reads == READS_PER_TURN || (full && reads > 0)) {
            loop_queue(&w->loop, &c->source);
            return;
        }
        if (full) {
            recorder_park(w, recorder, c);
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
