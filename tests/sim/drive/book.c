/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "../clock.h"
#include "../datagram.h"
#include "../descriptors.h"
#include "../faults.h"
#include "../memfile.h"
#include "../own.h"
#include "../terminal.h"
#include "../trace.h"
#include "base/macros.h"
#include "book.h"
#include "ledger.h"
#include "life.h"
#include "process.h"

#include <fcntl.h>
#include <sys/epoll.h>

#define FIRST_NUMBER 1000
#define SEALS        (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct book book;

struct life life;

static struct conn *conn_of(struct sim_file *file)
{
    return sim_stream_is(file) ? ((struct sim_stream *)file)->observed : NULL;
}

/* --- what the program asks of the kernel --- */

static void entry_sent(const uint8_t *bytes, size_t n, struct sim_file *passed)
{
    if (book.canary && book.records % 100 == 99) {
        book.records++;
        return;
    }
    if (passed) {
        bytes = sim_memfile_bytes(passed, &n);
        if (sim_memfile_seals(passed) != SEALS)
            sim_violate("a file for the journal is not sealed");
    }
    record_taken(bytes, n);
}

/* "Too many connections from your address" is not sent to mute connections. */
static bool is_refusal(struct conn *c, const uint8_t *bytes, size_t n)
{
    uint8_t expected[256];
    size_t size = setup_error(c->setup, "too many connections from your address", expected);

    if (c->received > 0 || c->bytes_out > 0 || c->cipher_received > 0 || n > size ||
        memcmp(bytes, expected, n) != 0)
        return false;
    if (!conn_has_address(c) || (!c->is_too_many && sim_fault_count(SIM_NO_MEMORY) == 0))
        return false;
    c->excuses |= EXCUSE_REFUSED;
    life.refused++;
    return true;
}

void book_sent(size_t n)
{
    life.bytes_out += n;
    book.bytes_out += n;
}

void book_replied(struct conn *c, const uint8_t *bytes, size_t n)
{
    book.replies -= c->replied;
    conn_replied(c, bytes, n, process_now());
    book.replies += c->replied;
    if (sim_violation())
        sim_say("connection %u: %s%s, said %zu, sent %" PRIu64 " of %" PRIu64 ", received %" PRIu64
                ", recorded %" PRIu64 ", replied %" PRIu64,
                c->number, c->setup->name, c->fin ? ", ended" : "", c->n_messages, c->sent,
                c->n_bytes, c->received, c->recorded, c->replied);
}

static void on_sent(struct sim_file *file, const void *bytes, size_t n, struct sim_file *passed)
{
    struct conn *c = conn_of(file);

    inspect_clock();
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
    if (!c->mute && is_refusal(c, bytes, n))
        return;
    if (c->tls)
        return;
    book_sent(n);
    book_replied(c, bytes, n);
}

/* During a pass, no connection may receive while others wait for room in the recorder: the waiters
 * come first, after the pass. A peer that is gone is exempt. */
static void look_for_overtaking(struct conn *c)
{
    const struct worker *w = process_worker();
    const struct recorder *r = w ? w->context.recorders[c->setup->record] : NULL;

    if (r && r->waiters.first && w->context.loop.pass && !c->errored && !c->excuses &&
        !(sim_stream_poll(c->server) & (EPOLLERR | EPOLLHUP)))
        sim_violate("connection %u overtakes those that wait for the recorder", c->number);
}

/* Whether there were already as many connections from the same address as the lowest recent limit
 * allows. Without memory for the count, no connection is allowed. */
static bool are_too_many(const struct conn *c)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < book.n_conns; i++) {
        const struct conn *other = book.conns[i];

        n += other != c && other->server && conn_has_address(other) && other->address == c->address;
    }
    return n >= process.min_per_address;
}

/* The program takes the header, and not one byte behind it. */
static void header_received(struct conn *c, size_t n)
{
    book.progress++;
    if (n > c->header_left)
        sim_violate("connection %u: more is taken than the header", c->number);
    c->header_left -= MIN(n, c->header_left);
    c->header_at = process_now();
    c->is_too_many = conn_has_address(c) && are_too_many(c);
}

void book_received(struct conn *c, size_t n)
{
    life.bytes_in += n;
    book.bytes_in += n;
    book.progress++;
    look_for_overtaking(c);
    conn_received(c, n, process_now());
}

static void on_received(struct sim_file *file, const void *bytes, size_t n)
{
    struct conn *c = conn_of(file);

    (void)bytes;
    inspect_clock();
    if (!c || c->server != (struct sim_stream *)file)
        return;
    if (c->header_left > 0)
        header_received(c, n);
    else if (c->tls)
        book_cipher_received(c, n);
    else
        book_received(c, n);
}

static void on_unread(struct sim_file *file, size_t n)
{
    struct conn *c = conn_of(file);

    if (c)
        c->unread = n;
}

/* The settings of a new connection: those of the acceptor that asks. */
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

    inspect_clock();
    if (!c) {
        sim_violate("a connection is accepted that nobody has made");
        return;
    }
    s->observed = c;
    c->server = s;
    c->setup = setup_of(listening);
    c->run_id = process.shared.run_id;
    c->life = process.life;
    c->accepted_at = c->header_at = process_now();
    c->listening = listening;
    c->header_left = c->header_size;
    c->is_too_many = conn_has_address(c) && are_too_many(c);
    c->worker = process_worker() ? process_worker()->index : 0;
    sim_say("connection %u is accepted", c->number);
    life.accepted++;
    book.accepted++;
    book.progress++;
    if (!c->setup)
        sim_violate("a connection is accepted where no settings are");
    if (atomic_load(&process.shared.n_connections) >= process.max_connections + process.n_workers)
        sim_violate("MaxConnections= is %" PRIu64 ", and there are %" PRIu64 " already",
                    process.max_connections, atomic_load(&process.shared.n_connections));
}

/* A connection was closed without a reply for lack of some resource. Then accepting must pause. */
static void turned_away(const struct conn *c)
{
    const struct worker *w = process_worker();

    if (!w || w->stopping || w->index != c->worker)
        return;
    /* Its reply may not have gone out. */
    if (life_grew(&life.refusals[w->index], &w->context.counters.refused))
        return;
    if (life.turned_away[w->index][c->listening % FD_MAX]++ > 0)
        sim_violate("connections are accepted and closed, one after another");
}

static void on_closing(struct sim_file *file)
{
    struct conn *c = conn_of(file);

    if (!c || c->server != (struct sim_stream *)file)
        return;
    c->server = NULL;
    book.progress++;
    life.urgent += c->urgent;
    if (!c->opened && (c->header_size > 0 || c->tls))
        book_preface_closed(c);
    else if (!c->opened)
        turned_away(c);
}

/* One second's share at once, or one message, then as the rate allows. */
static void check_rate(const struct conn *c, const struct connection *k)
{
    uint64_t cost = c->setup->cost_ns, had = process_now() - c->accepted_at;

    if (k->input.session.seq * cost > had + MAX(SIM_S, cost) + cost + COARSE_NS)
        sim_violate("connection %u: %" PRIu64 " messages in %" PRIu64 " ms are beyond its rate",
                    c->number, (uint64_t)k->input.session.seq, had / SIM_MS);
}

/* The kernel will report whatever has arrived by now. */
static void note_known(void *item, void *userdata)
{
    const struct connection *k = item;
    struct conn *c = book_find(book_number(k));
    (void)userdata;
    if (c)
        c->opened = true;
    if (c && c->setup)
        check_rate(c, k);
    if (c && c->server)
        c->known = conn_arrived(c);
    if (c && c->server)
        c->had_room = sim_stream_poll(c->server) & EPOLLOUT;
}

static void on_waiting(struct sim_file *epoll, uint64_t timeout_ns)
{
    struct worker *w = process_worker();
    if (book.crowded)
        return;
    if (w)
        connection_for_each(&w->context, note_known, NULL);
    if (w)
        memset(life.turned_away[w->index], 0, sizeof life.turned_away[0]);
    if (w)
        life.steps[w->index] = 0;
    if (w && timeout_ns > 0 && epoll && sim_descriptor(w->context.loop.epoll_fd) == epoll)
        inspect(w, timeout_ns);
}

static const struct sim_observer observer = {
    .sent = on_sent,
    .received = on_received,
    .accepted = on_accepted,
    .unread = on_unread,
    .closing = on_closing,
    .written = ledger_written,
    .synced = ledger_synced,
    .unlinking = ledger_unlinking,
    .waiting = on_waiting,
};

/* --- the whole book --- */

void book_begin(void)
{
    memset(&book, 0, sizeof book);
    memset(&life, 0, sizeof life);
    sim_observer = &observer;
    records_begin();
    ledger_begin();
}

void book_end(void)
{
    for (unsigned i = 0; i < book.n_conns; i++)
        conn_free(book.conns[i]);
    sim_own_free(book.conns);
    records_end();
    ledger_end();
}

struct conn *book_dial(enum framing framing)
{
    if (book.n_conns == book.capacity) {
        book.capacity = 2 * book.capacity + 64;
        book.conns = sim_own_resize(book.conns, book.capacity * sizeof(struct conn *));
    }
    book.conns[book.n_conns] = conn_new(FIRST_NUMBER + book.n_conns, framing);
    return book.conns[book.n_conns++];
}

struct conn *book_find(unsigned number)
{
    return number - FIRST_NUMBER < book.n_conns ? book.conns[number - FIRST_NUMBER] : NULL;
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
        process.crew.workers[i]->context.trace = book_state;
}

void book_excuse_all(unsigned excuse)
{
    for (unsigned i = 0; i < book.n_conns; i++)
        if (book.conns[i]->life == process.life)
            book.conns[i]->excuses |= excuse;
}

/* Whatever has arrived by now must be answered. */
void book_drain_begins(void)
{
    for (unsigned i = 0; i < book.n_conns; i++) {
        struct conn *c = book.conns[i];
        if (c->life == process.life && c->server)
            c->known = conn_arrived(c);
    }
}

void book_process_gone(void)
{
    for (unsigned i = 0; i < book.n_conns; i++)
        if (book.conns[i]->life == process.life)
            book.conns[i]->server = NULL;
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

    for (unsigned i = 0; i < book.n_conns; i++) {
        const struct conn *c = book.conns[i];

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
