/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of state of connections, as the book sees them. */

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>

#include "../faults.h"
#include "../trace.h"
#include "base/macros.h"
#include "book.h"
#include "life.h"
#include "process.h"

unsigned book_number(const struct connection *c)
{
    pid_t pid;

    if (!c->transport.peer.is_unix)
        return c->transport.peer.port;
    memcpy(&pid, c->transport.peer.address, sizeof pid);
    return (unsigned)pid;
}

bool life_grew(uint64_t *before, const counter *now)
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
    if (to == CONNECTION_CLOSED && !c->mute)
        check_span(c, last_activity(c), c->setup->write_ms, "WriteTimeout");
    else if (k->transport.owner_flags & CONNECTION_DISCARDS)
        check_span(c, conn_late_since(c), c->setup->message_ms, "MessageTimeout");
    else
        check_span(c, last_activity(c), c->setup->idle_ms, "IdleTimeout");
}

static void note_excuses(struct worker *w, struct conn *c, const struct connection *k, int to)
{
    const struct counters *n = &w->context.counters;
    unsigned i = w->index;

    if (life_grew(&life.timeouts[i], &n->timeouts)) {
        timed_out(c, k, to);
        c->excuses |= EXCUSE_TIMEOUT;
    }
    if (life_grew(&life.shed[i], &n->shed))
        c->excuses |= EXCUSE_SHED;
    if (k->transport.owner_flags & CONNECTION_DISCARDS)
        c->excuses |= EXCUSE_ERROR;
    if (w->stopping)
        c->excuses |= EXCUSE_STOPPED;
}

/* Complete messages that the program has received or knows of. */
static uint64_t arrived(const struct conn *c, const struct connection *k)
{
    uint64_t n = MAX(c->received, c->known), complete;
    struct said_message m;

    if (c->framing == FRAMING_CHUNK)
        return c->n_messages;
    complete = conn_complete(c, n);
    if ((k->transport.flags & (TRANSPORT_IN_ENDED | TRANSPORT_IN_CUT)) == TRANSPORT_IN_ENDED &&
        n >= c->sent && c->sent > 0 && conn_message(c, complete, &m))
        complete++;
    return complete;
}

bool life_is_short_of_memory(void)
{
    return process.memory_was_limited || sim_fault_count(SIM_NO_MEMORY) > 0;
}

/* Room for the end of a TLS stream is waited for, but not for ever. */
static void check_end(struct conn *c, const struct connection *k, int from)
{
    if (from != CONNECTION_FINISHING || !(k->transport.owner_flags & CONNECTION_ENDING))
        return;
    c->mute_end = sim_now() + COARSE_NS >= (k->active_ms + CONNECTION_LINGER_MS) * SIM_MS;
    if (c->mute_end && c->had_room && c->server && sim_stream_poll(c->server) & EPOLLOUT)
        sim_violate("connection %u: there is room for the end of its stream", c->number);
}

/* If a peer asks for other keys, and takes no answer, its stream is lost with all that is in it. */
static bool keys_are_lost(const struct conn *c, const struct connection *k)
{
    return c->asks_for_keys && k->transport.flags & (TRANSPORT_OUT_FAILED | TRANSPORT_OUT_ENDED);
}

static void check_closed(struct conn *c, const struct connection *k, int from)
{
    bool late = from == CONNECTION_LINGERING &&
                sim_now() + COARSE_NS >= k->active_ms * SIM_MS + CONNECTION_LINGER_MS * SIM_MS;

    c->taken = k->input.session.seq;
    check_end(c, k, from);
    if (c->excuses)
        return;
    if (keys_are_lost(c, k))
        return;
    /* Without memory, input of departed peers may be discarded. */
    if (c->taken < arrived(c, k) && !late && !c->urgent && !life_is_short_of_memory())
        sim_violate("connection %u: %" PRIu64 " messages have arrived, and only %" PRIu64
                    " are taken",
                    c->number, arrived(c, k), c->taken);
    if (!c->mute && c->replied < c->taken && from != CONNECTION_LINGERING &&
        !(k->transport.flags & (TRANSPORT_OUT_ENDED | TRANSPORT_OUT_FAILED)))
        sim_violate("connection %u: %" PRIu64 " messages are taken, and only %" PRIu64
                    " are answered",
                    c->number, c->taken, c->replied);
}

void book_state(const struct connection *k, int from, int to)
{
    struct worker *w = process_worker();
    struct conn *c = book_find(book_number(k));

    if (!c || c->life != process.life) {
        sim_violate("a connection that nobody has made changes its state");
        return;
    }
    c->opened = true;
    if (c->header_wrong || c->header_left > 0)
        sim_violate("connection %u begins without a good header", c->number);
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
    if (sim_violation())
        sim_say("connection %u: %s%s, said %zu, sent %" PRIu64 " of %" PRIu64 ", received %" PRIu64
                ", taken %" PRIu64 ", recorded %" PRIu64 ", replied %" PRIu64
                ", flags %x, owner %x, excuses %x, session %d",
                c->number, c->setup->name, c->fin ? ", ended" : "", c->n_messages, c->sent,
                c->n_bytes, c->received, c->taken, c->recorded, c->replied,
                (unsigned)k->transport.flags, (unsigned)k->transport.owner_flags, c->excuses,
                (int)k->input.session.status);
    if (c->taken > 0 && c->taken <= c->n_messages)
        life.frames += MIN(c->messages[c->taken - 1].end, c->sent);
    else if (c->taken > 0)
        life.frames += c->sent; /* a line without its LF */
}
