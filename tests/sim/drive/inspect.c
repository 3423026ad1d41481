/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Invariants of a worker that is about to sleep. */

#include <inttypes.h>
#include <string.h>

#include "../clock.h"
#include "../descriptors.h"
#include "../epoll.h"
#include "../trace.h"
#include "base/macros.h"
#include "book.h"
#include "inspect.h"
#include "life.h"
#include "process.h"

#define SLACK_NS (6 * SIM_MS) /* the coarse clock's step, and rounding */
#define NEVER_NS (UINT64_MAX / 2)
#define STALL_NS SIM_S /* a worker leaves out longer stalls */

struct looking {
    struct worker *w;
    size_t bytes, live, placed;
    unsigned per_address[256];
};

void inspect_clock(void)
{
    const struct worker *w = process_worker();

    if (w && sim_now() > process_now() + STALL_NS + COARSE_NS)
        life.stalled_at[w->index] = sim_now();
}

/* A stall in the middle of a turn must not count against the peers. A worker that is about to sleep
 * has left it out of its clock: the clock plus the time left out is past the stall. */
static void look_at_clock(const struct worker *w)
{
    uint64_t stalled_at = life.stalled_at[w->index];

    if (stalled_at > process_now() + COARSE_NS)
        sim_violate("a worker stood still, and its clock counts %" PRIu64 " ms of it",
                    (stalled_at - process_now()) / SIM_MS);
}

/* A connection with a deadline has a timer that expires by then. */
static void look_at_timer(const struct looking *l, const struct connection *c)
{
    uint64_t deadline;

    if (c->transport.owner_flags & CONNECTION_WAITING)
        return;
    deadline = connection_deadline(&l->w->context, c);
    if (deadline != TIMER_NEVER && (!timer_armed(&c->timer) || c->timer.expires > deadline))
        sim_violate("a connection of state %d has a deadline and no timer", connection_state(c));
}

/* Nobody waits for the rest of a TLS record for ever. */
static void look_at_record(const struct connection *c)
{
    if (connection_state(c) == CONNECTION_OPEN && transport_is_within_record(&c->transport) &&
        connection_record_ms(c) == 0)
        sim_violate(
            "a connection waits for the rest of a TLS record, and does not know since when");
}

/* A source that could go on is on the ready list, or waits for an edge. */
static void look_for_stall(const struct connection *c)
{
    const struct slot *oldest = c->output.last ? c->output.last->next : NULL;

    if (c->transport.source.queued)
        sim_violate("a worker sleeps, and a connection is ready");
    if (oldest && slot_whole(oldest) && output_holds(&c->output))
        sim_violate("a reply could go, and its connection is not ready");
    if (oldest && slot_whole(oldest) && c->transport.source.ready & READY_OUT)
        sim_violate("a reply could be sent, and its connection is not ready");
    /* A peer that is gone gives up its descriptor and its place, even if its messages still wait.
     * In chunk framing two reads must not become one message. */
    if (transport_is_broken(&c->transport) && c->transport.owner_flags & CONNECTION_WAITING &&
        c->settings->rules.framing != FRAMING_CHUNK)
        sim_violate("a peer is gone, and keeps its place");
}

static bool may_go(const struct slot *s)
{
    return slot_whole(s) && s->error == 0;
}

/* Replies that the peer does not take share one slot, unless memory runs out. */
static void look_at_slots(const struct output *o)
{
    const struct slot *oldest = o->last ? o->last->next : NULL;

    if (oldest && oldest != o->last && may_go(oldest) && may_go(oldest->next) &&
        !life_is_short_of_memory())
        sim_violate("two replies can be sent, and have a slot each");
}

static size_t owed_memory(const struct output *o)
{
    const struct slot *s = o->last;
    size_t n = 0;

    if (s)
        do {
            n += sizeof *s + s->capacity;
            s = s->next;
        } while (s != o->last);
    return n;
}

static void look_at_connection(void *item, void *userdata)
{
    const struct connection *c = item;
    struct looking *l = userdata;

    l->bytes += c->input.bytes ? c->input.bytes->capacity : 0;
    l->bytes += owed_memory(&c->output);
    if (connection_state(c) == CONNECTION_CLOSED)
        return;
    l->live++;
    l->placed += (c->transport.owner_flags & CONNECTION_PLACED) != 0;
    if (c->transport.owner_flags & CONNECTION_COUNTED &&
        c->transport.owner_flags & CONNECTION_PLACED)
        l->per_address[c->transport.peer.address[15]]++;
    if (output_size(&c->output) > c->settings->output_limit + c->settings->rules.max_message + 2300)
        sim_violate("%zu bytes are owed, and OutputLimit= is %zu", output_size(&c->output),
                    c->settings->output_limit);
    look_at_timer(l, c);
    look_at_record(c);
    look_for_stall(c);
    look_at_slots(&c->output);
}

static void look_at_acceptors(const struct worker *w)
{
    const struct sim_file *epoll = sim_descriptor(w->context.loop.epoll_fd);

    for (const struct acceptor *a = w->acceptors; a; a = a->next) {
        if (a->registered != sim_epoll_has(epoll, a->source.fd))
            sim_violate("an acceptor is in the loop, or is not, and thinks otherwise");
        if (!a->registered && !timer_armed(&a->retry))
            sim_violate("an acceptor pauses for ever");
    }
}

static void look_at_recorder(const struct worker *w, const struct recorder *r)
{
    const struct sim_file *epoll = sim_descriptor(w->context.loop.epoll_fd);

    if (r->sink->fd >= 0 &&
        sim_epoll_has(epoll, r->sink->fd) != (r->state == RECORDER_WATCHING || r->watched))
        sim_violate("a sink's descriptor is in the loop, or is not, and should not be so");
    if ((r->state == RECORDER_AWAY || r->state == RECORDER_PAUSING ||
         r->state == RECORDER_STRAINED) &&
        r->deadline_us == RECORDER_NEVER)
        sim_violate("a recorder waits for ever");
    if (r->state == RECORDER_TAKING && r->sink->n_waiting > 0)
        sim_violate("records wait, and nobody submits them");
    if (r->waiters.first && recorder_has_room(r))
        sim_violate("somebody waits for room, and there is some");
}

/* It must not sleep past its next timer, or past its recorder's deadline. */
static void look_at_sleep(const struct worker *w, uint64_t timeout_ns)
{
    uint64_t until = timeout_ns > NEVER_NS ? NEVER_NS : sim_now() + timeout_ns,
             next = timer_wheel_next(&w->context.wheel),
             timer =
                 next == TIMER_NEVER ? NEVER_NS : next * SIM_MS + w->context.stalled_us * SIM_US,
             recorder = MIN(MIN(recorder_sleeps_until(&w->journal), recorder_sleeps_until(&w->log)),
                            recorder_sleeps_until(&w->console));

    if (next != TIMER_NEVER && until > MAX(timer, sim_now()) + SLACK_NS)
        sim_violate("a worker would sleep for %" PRIu64
                    " ms, and its next timer is due in %" PRId64,
                    timeout_ns / SIM_MS, ((int64_t)timer - (int64_t)sim_now()) / (int64_t)SIM_MS);
    if (recorder != RECORDER_NEVER && until > MAX(recorder * SIM_US, sim_now()) + SLACK_NS)
        sim_violate("a worker would sleep longer than its recorder");
}

void inspect(struct worker *w, uint64_t timeout_ns)
{
    struct looking l = { .w = w };
    const struct context *x = &w->context;

    if (x->loop.pass || x->buried)
        sim_violate("a worker sleeps in the middle of a turn");
    connection_for_each(&w->context, look_at_connection, &l);
    if (l.bytes != x->budget.used)
        sim_violate("%zu bytes are held, and the budget says %zu", l.bytes, x->budget.used);
    if (l.live != x->n_live)
        sim_violate("%zu connections live, and the worker says %zu", l.live, x->n_live);
    if (l.placed > atomic_load(&x->n_connections))
        sim_violate("%zu connections have a place, and the worker says %" PRIu64, l.placed,
                    atomic_load(&x->n_connections));
    for (unsigned i = 0; i < 256; i++)
        if (l.per_address[i] > process.max_per_address)
            sim_violate("%u connections are from one address", l.per_address[i]);
    if (x->budget.used > process.memory_limit / 2 * 4 + 65536 &&
        process.memory_limit < SIZE_MAX / 4)
        sim_violate("%zu bytes are used, and MemoryLimit= is %zu", x->budget.used,
                    process.memory_limit);
    inspect_prefaces(x);
    look_at_clock(w);
    look_at_acceptors(w);
    look_at_recorder(w, &w->journal);
    look_at_recorder(w, &w->log);
    look_at_recorder(w, &w->console);
    look_at_sleep(w, timeout_ns);
}
