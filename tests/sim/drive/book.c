/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "../clock.h"
#include "../datagram.h"
#include "../descriptors.h"
#include "../memfile.h"
#include "../terminal.h"
#include "../trace.h"
#include "base/macros.h"
#include "book.h"
#include "process.h"

#include <fcntl.h>

#define FIRST_NUMBER 1000
#define SEALS        (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define COARSE_NS    (8 * SIM_MS)

struct book book;

/* What the workers of the present process have counted so far, as the book sees it. */
static struct {
    uint64_t accepted, refused, turned_away, bytes_in, unread, bytes_out, frames;
    uint64_t timeouts[4], shed[4], errors[4];
    unsigned urgent;
} life;

static struct conn *conn_of(struct sim_file *file)
{
    return sim_stream_is(file) ? ((struct sim_stream *)file)->observed : NULL;
}

/* --- what the kernel is asked for --- */

static void entry_sent(const uint8_t *bytes, size_t n, struct sim_file *passed)
{
    if (passed) {
        bytes = sim_memfile_bytes(passed, &n);
        if (sim_memfile_seals(passed) != SEALS)
            sim_violate("a file for the journal is not sealed");
    }
    record_taken(bytes, n);
}

/* "Too many connections from your address" is said by nobody who reads. */
static bool is_refusal(struct conn *c, const uint8_t *bytes, size_t n)
{
    uint8_t expected[256];
    size_t size = setup_error(c->setup, "too many connections from your address", expected);

    if (c->received > 0 || c->bytes_out > 0 || n > size || memcmp(bytes, expected, n) != 0)
        return false;
    if (c->is_unix || process.max_per_address == 0)
        return false;
    c->excuses |= EXCUSE_REFUSED;
    life.refused++;
    return true;
}

static void on_sent(struct sim_file *file, const void *bytes, size_t n, struct sim_file *passed)
{
    struct conn *c = conn_of(file);

    if (sim_datagram_of(file)) {
        entry_sent(bytes, n, passed);
        return;
    }
    if (sim_terminal_is(file)) {
        const struct worker *w = process_worker();

        record_printed(w ? w->index : 0, bytes, n);
        return;
    }
    if (!c || c->server != (struct sim_stream *)file || n == 0)
        return;
    book.progress++;
    if (is_refusal(c, bytes, n))
        return;
    life.bytes_out += n;
    book.bytes_out += n;
    book.replies -= c->replied;
    conn_replied(c, bytes, n, process_now());
    book.replies += c->replied;
    if (sim_violation())
        sim_say("connection %u: %s%s, said %zu, sent %" PRIu64 " of %" PRIu64 ", received %" PRIu64
                ", recorded %" PRIu64 ", replied %" PRIu64,
                c->number, c->setup->name, c->fin ? ", ended" : "", c->n_messages, c->sent,
                c->n_bytes, c->received, c->recorded, c->replied);
}

static void on_received(struct sim_file *file, const void *bytes, size_t n)
{
    struct conn *c = conn_of(file);

    (void)bytes;
    if (!c || c->server != (struct sim_stream *)file)
        return;
    life.bytes_in += n;
    book.bytes_in += n;
    book.progress++;
    conn_received(c, n, process_now());
}

static void on_unread(struct sim_file *file, size_t n)
{
    struct conn *c = conn_of(file);

    if (c)
        c->unread = n;
}

/* The settings that a connection gets: those of the acceptor that asks. */
static const struct setup *setup_of(int listening)
{
    const struct worker *w = process_worker();

    for (const struct acceptor *a = w ? w->acceptors : NULL; a; a = a->next)
        if (a->source.fd == listening)
            return setup_find(a->settings->name);
    return NULL;
}

static void on_accepted(int listening, struct sim_file *file)
{
    struct sim_stream *s = (struct sim_stream *)file;
    struct conn *c = s->peer->observed;

    if (!c) {
        sim_violate("a connection is accepted that nobody has made");
        return;
    }
    s->observed = c;
    c->server = s;
    c->setup = setup_of(listening);
    c->run_id = process.shared.run_id;
    c->life = process.life;
    c->accepted_at = process_now();
    life.accepted++;
    book.accepted++;
    book.progress++;
    if (!c->setup)
        sim_violate("a connection is accepted where no settings are");
    if (atomic_load(&process.shared.n_connections) >= process.max_connections + process.n_workers)
        sim_violate("MaxConnections= is %" PRIu64 ", and there are %" PRIu64 " already",
                    process.max_connections, atomic_load(&process.shared.n_connections));
}

static void on_closing(struct sim_file *file)
{
    struct conn *c = conn_of(file);

    if (!c || c->server != (struct sim_stream *)file)
        return;
    c->server = NULL;
    book.progress++;
    life.urgent += c->urgent;
}

static void on_waiting(struct sim_file *epoll, uint64_t timeout_ns)
{
    struct worker *w = process_worker();

    if (w && timeout_ns > 0 && epoll && sim_descriptor(w->context.loop.epoll_fd) == epoll)
        inspect(w, timeout_ns);
}

static const struct sim_observer observer = {
    .sent = on_sent,
    .received = on_received,
    .accepted = on_accepted,
    .unread = on_unread,
    .closing = on_closing,
    .waiting = on_waiting,
};

/* --- changes of state --- */

static unsigned number_of(const struct connection *c)
{
    pid_t pid;

    if (!c->transport.peer.is_unix)
        return c->transport.peer.port;
    memcpy(&pid, c->transport.peer.address, sizeof pid);
    return (unsigned)pid;
}

/* Whether this worker has counted one more, which is this connection's. */
static bool grew(uint64_t *before, const counter *now)
{
    uint64_t n = counter_get(now);
    bool is = n > *before;

    *before = n;
    return is;
}

static uint64_t last_activity(const struct conn *c)
{
    return MAX(c->accepted_at, c->reply_at);
}

static void check_span(const struct conn *c, uint64_t since_ns, uint64_t span_ms, const char *what)
{
    if (span_ms == TIMER_NEVER)
        sim_violate("connection %u: %s, which is infinite", c->number, what);
    else if (sim_now() + COARSE_NS < since_ns + span_ms * SIM_MS)
        sim_violate("connection %u: %s after %" PRIu64 " ms, and not after %" PRIu64, c->number,
                    what, (sim_now() - since_ns) / SIM_MS, span_ms);
}

/* A timeout must not come early. */
static void timed_out(const struct conn *c, const struct connection *k, int to)
{
    if (to == CONNECTION_CLOSED)
        check_span(c, c->accepted_at, c->setup->write_ms, "WriteTimeout");
    else if (k->transport.owner & CONNECTION_DISCARDS)
        check_span(c, c->partial_at, c->setup->message_ms, "MessageTimeout");
    else
        check_span(c, last_activity(c), c->setup->idle_ms, "IdleTimeout");
}

static void note_excuses(struct worker *w, struct conn *c, const struct connection *k, int to)
{
    const struct counters *n = &w->context.counters;
    unsigned i = w->index;

    if (grew(&life.timeouts[i], &n->timeouts)) {
        timed_out(c, k, to);
        c->excuses |= EXCUSE_TIMEOUT;
    }
    if (grew(&life.shed[i], &n->shed))
        c->excuses |= EXCUSE_SHED;
    /* While lingering, an error is no change of state, and was another's. */
    if (grew(&life.errors[i], &n->protocol_errors) && to == CONNECTION_FINISHING &&
        k->transport.owner & CONNECTION_DISCARDS) {
        if (!conn_breaks_framing(c, (size_t)k->input.session.seq))
            sim_violate("connection %u: an error that is none in message %" PRIu64, c->number,
                        k->input.session.seq + 1);
        c->excuses |= EXCUSE_ERROR;
    }
    if (k->transport.owner & CONNECTION_DISCARDS)
        c->excuses |= EXCUSE_ERROR;
    if (w->stopping)
        c->excuses |= EXCUSE_STOPPED;
}

/* Whole messages that the program has, or could have read. */
static uint64_t arrived(const struct conn *c, const struct connection *k)
{
    uint64_t n = c->received;
    struct said_message m;
    uint64_t complete;

    if (c->server && !(k->transport.flags & TRANSPORT_IN_ENDED))
        n += (uint64_t)c->server->family->unread(c->server);
    if (c->framing == FRAMING_CHUNK)
        return c->n_messages;
    complete = conn_complete(c, n);
    if ((k->transport.flags & (TRANSPORT_IN_ENDED | TRANSPORT_IN_CUT)) == TRANSPORT_IN_ENDED &&
        n >= c->sent && c->sent > 0 && conn_message(c, complete, &m))
        complete++;
    return complete;
}

static void check_closed(struct conn *c, const struct connection *k, int from)
{
    bool late = from == CONNECTION_LINGERING &&
                sim_now() + COARSE_NS >= k->active_ms * SIM_MS + CONNECTION_LINGER_MS * SIM_MS;

    c->taken = k->input.session.seq;
    if (c->excuses || k->transport.flags & TRANSPORT_OUT_FAILED)
        return;
    if (c->taken < arrived(c, k) && !late && !c->urgent)
        sim_violate("connection %u: %" PRIu64 " messages have arrived, and only %" PRIu64
                    " are taken",
                    c->number, arrived(c, k), c->taken);
    if (c->replied < c->taken && from != CONNECTION_LINGERING &&
        !(k->transport.flags & TRANSPORT_OUT_ENDED))
        sim_violate("connection %u: %" PRIu64 " messages are taken, and only %" PRIu64
                    " are answered",
                    c->number, c->taken, c->replied);
}

static void on_state(const struct connection *k, int from, int to)
{
    struct worker *w = process_worker();
    struct conn *c = conn_find(book.conns, number_of(k));

    if (!c || c->life != process.life) {
        sim_violate("a connection that nobody has made changes its state");
        return;
    }
    sim_say("connection %u: state %d to %d", c->number, from, to);
    if (from >= to)
        sim_violate("connection %u: from state %d to state %d", c->number, from, to);
    if (w)
        note_excuses(w, c, k, to);
    else
        c->excuses |= EXCUSE_STOPPED;
    if (to != CONNECTION_CLOSED)
        return;
    check_closed(c, k, from);
    if (c->taken > 0 && c->taken <= c->n_messages)
        life.frames += MIN(c->messages[c->taken - 1].end, c->sent);
    else if (c->taken > 0)
        life.frames += c->sent; /* a line without an end */
}

/* --- the whole --- */

void book_begin(bool canary)
{
    memset(&book, 0, sizeof book);
    memset(&life, 0, sizeof life);
    book.canary = canary;
    sim_observer = &observer;
    records_begin();
    inspect_begin();
}

void book_end(void)
{
    conns_free(&book.conns);
    records_end();
}

struct conn *book_dial(enum framing framing)
{
    return conn_new(&book.conns, FIRST_NUMBER + book.n_conns++, framing);
}

void book_turned(void)
{
    process_tend();
    if (book.progress == book.last_progress)
        return;
    book.last_progress = book.progress;
    book.progress_at = sim_now();
}

uint64_t book_quiet(void)
{
    return sim_now() - MIN(book.progress_at, sim_now());
}

void book_process_began(void)
{
    memset(&life, 0, sizeof life);
    for (unsigned i = 0; i < process.crew.n; i++)
        process.crew.workers[i]->context.trace = on_state;
}

void book_excuse_all(unsigned excuse)
{
    for (struct conn *c = book.conns; c; c = c->next)
        if (c->life == process.life)
            c->excuses |= excuse;
}

void book_drain_begins(void)
{
}

void book_process_gone(void)
{
    for (struct conn *c = book.conns; c; c = c->next)
        if (c->life == process.life)
            c->server = NULL;
    records_begin();
}

static uint64_t sum(size_t offset)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < process.crew.n; i++)
        n += counter_get(
            (const counter *)((const char *)&process.crew.workers[i]->context.counters + offset));
    return n;
}

#define SUM(name) sum(offsetof(struct counters, name))

static void check_recorded(const struct conn *c)
{
    if (c->life != process.life || c->setup->record == RECORD_NONE || c->unrecordable > 0 ||
        c->excuses & (EXCUSE_STOPPED | EXCUSE_KILLED))
        return;
    if (c->recorded < c->taken && !conn_cannot_be_recorded(c))
        sim_violate("connection %u: %" PRIu64 " messages were taken, and only %" PRIu64
                    " are recorded",
                    c->number, c->taken, c->recorded);
}

void book_process_ended(void)
{
    uint64_t messages = 0;

    for (const struct conn *c = book.conns; c; c = c->next) {
        check_recorded(c);
        messages += c->life == process.life ? c->taken : 0;
    }
    if (SUM(messages) != messages)
        sim_violate("%" PRIu64 " messages are counted, and there were %" PRIu64, SUM(messages),
                    messages);
    if (SUM(bytes_out) != life.bytes_out)
        sim_violate("%" PRIu64 " bytes out are counted, and there were %" PRIu64, SUM(bytes_out),
                    life.bytes_out);
    if (SUM(bytes_in) < life.bytes_in)
        sim_violate("%" PRIu64 " bytes in are counted, and there were %" PRIu64, SUM(bytes_in),
                    life.bytes_in);
    if (SUM(accepted) + SUM(refused) > life.accepted)
        sim_violate("%" PRIu64 " connections are counted, and there were %" PRIu64,
                    SUM(accepted) + SUM(refused), life.accepted);
    if (SUM(bytes_in) - life.frames - SUM(discarded) > life.urgent)
        sim_violate("%" PRIu64 " bytes came in, %" PRIu64 " were messages, and %" PRIu64
                    " are counted as discarded",
                    SUM(bytes_in), life.frames, SUM(discarded));
}
