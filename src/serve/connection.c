/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "record/event-log.h"
#include "serve/connection.h"

#define RECHECK_MS                                                                                 \
    50 /* between checks whether the peer's kernel has everything: no event
                         reports it */

struct exchange connection_exchange(struct context *x, struct connection *c)
{
    return (struct exchange){
        .context = x,
        .settings = c->settings,
        .transport = &c->transport,
        .output = &c->output,
        .recorder = context_recorder(x, c->settings),
        .origin = connection_origin(c),
    };
}

struct event_about connection_about(const struct connection *c)
{
    return (struct event_about){
        .peer = &c->transport.peer,
        .listener = c->settings->name,
        .number = c->input.session.number,
    };
}

void connection_enter(const struct context *x, struct connection *c, enum connection_state state)
{
    enum connection_state from = connection_state(c);

    assert(from < state);
    if (x->trace)
        x->trace(c, from, state);
    c->transport.source.state = state;
}

static void give_up_place(struct context *x, const struct peer *peer, bool counted)
{
    assert(atomic_load_explicit(&x->n_connections, memory_order_relaxed) > 0);
    if (counted)
        address_limit_release(&x->shared->addresses, peer);
    atomic_fetch_sub_explicit(&x->n_connections, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&x->shared->n_connections, 1, memory_order_relaxed);
    context_place_is_free(x);
}

static void give_up_socket(struct context *x, struct connection *c, bool reset)
{
    transport_close(&c->transport, reset);
    if (!(c->transport.owner_flags & CONNECTION_PLACED))
        return;
    c->transport.owner_flags &= (uint8_t)~CONNECTION_PLACED;
    give_up_place(x, &c->transport.peer, c->transport.owner_flags & CONNECTION_COUNTED);
}

void connection_depart(struct context *x, struct connection *c)
{
    give_up_socket(x, c, false);
}

void connection_wait(struct context *x, struct connection *c)
{
    assert(!(c->transport.owner_flags & CONNECTION_WAITING));
    timer_cancel(&c->timer);
    c->transport.owner_flags |= CONNECTION_WAITING;
    c->waiter = (struct waiter){ 0 };
    recorder_wait(context_recorder(x, c->settings), &c->waiter);
}

static void forget_waiting(struct connection *c)
{
    c->transport.owner_flags &= (uint8_t)~CONNECTION_WAITING;
    c->timer = (struct timer){ .kind = TIMER_CONNECTION };
}

void connection_wait_no_more(struct context *x, struct connection *c)
{
    recorder_leave(context_recorder(x, c->settings), &c->waiter);
    forget_waiting(c);
}

/* The time waited moves each deadline, but does not restart it. Under load a connection waits
 * repeatedly, and a restart would mean that a peer with an unfinished message is never cut off. */
void connection_waited(struct context *x, struct connection *c)
{
    uint64_t waited = context_ms(x) - c->waiter.since_ms;

    assert(c->transport.owner_flags & CONNECTION_WAITING);
    forget_waiting(c);
    c->active_ms = MIN(context_ms(x), c->active_ms + waited);
    if (connection_record_ms(c) > 0)
        ((struct extension *)c - 1)->record_ms =
            MIN(context_ms(x), connection_record_ms(c) + waited);
    input_excuse(&c->input, x, waited);
    output_excuse(&c->output, x, waited);
}

void connection_bury(struct context *x, struct connection *c)
{
    if (c->transport.source.queued)
        return;
    c->transport.source.next = x->buried;
    x->buried = &c->transport.source;
}

void connection_tell_unrecorded(const struct connection *c, int error)
{
    struct event_about who = connection_about(c);

    event_log_about(EVENT_RECORD_REFUSED, &who, "cut off: a message cannot be recorded: %s",
                    strerror(-error));
}

void connection_end(struct context *x, struct connection *c, bool reset)
{
    struct exchange e = connection_exchange(x, c);
    int error;

    connection_enter(x, c, CONNECTION_CLOSED);
    if (c->transport.owner_flags & CONNECTION_WAITING)
        connection_wait_no_more(x, c);
    timer_cancel(&c->timer);
    input_end(&c->input, &e);
    error = output_abandon(&c->output, x);
    if (error < 0)
        connection_tell_unrecorded(c, error);
    give_up_socket(x, c, reset);
    assert(x->n_live > 0);
    x->n_live--;
    connection_bury(x, c);
}

_cold_ void connection_shed(struct context *x, struct connection *c)
{
    struct event_about who = connection_about(c);

    count(&x->counters.shed, 1);
    event_log_about(EVENT_MEMORY_LIMIT, &who,
                    "cut off: no memory for its buffers, see MemoryLimit=");
    connection_end(x, c, true);
}

_cold_ void connection_refuse(struct context *x, struct connection *c, const char *reason)
{
    struct exchange e = connection_exchange(x, c);

    if (c->transport.owner_flags & CONNECTION_WAITING)
        connection_wait_no_more(x, c);
    c->transport.owner_flags |= CONNECTION_DISCARDS;
    input_drop(&c->input, &e, reason);
    if (connection_is_mute(c)) {
        connection_end(x, c, true);
        return;
    }
    /* If there is no memory for the reply, the connection ends without one. */
    if (session_append_error(&c->settings->rules, reason, &x->reply) == 0)
        (void)output_send(&c->output, x, &c->transport, buffer_head(x->reply),
                          buffer_size(x->reply));
    buffer_clear(x->reply);
    if (connection_state(c) == CONNECTION_OPEN)
        connection_enter(x, c, CONNECTION_FINISHING);
}

static uint64_t linger_deadline(const struct context *x, const struct connection *c)
{
    uint64_t last = c->active_ms + CONNECTION_LINGER_MS, d;

    if (connection_is_gone(c))
        return connection_is_limited(c) ? connection_resume_ms(c) : TIMER_NEVER;
    if (c->transport.owner_flags & CONNECTION_DISCARDS)
        return last;
    d = c->active_ms + CONNECTION_GRACE_MS;
    if (d <= context_ms(x))
        d = context_ms(x) + RECHECK_MS;
    if (connection_is_limited(c))
        d = MIN(d, connection_resume_ms(c));
    return MIN(d, last);
}

/* Behind a message that was complete, or has begun, in this turn, the time begins anew: the peer
 * goes on. The next records of a message that has begun before have the rest of its own time. */
void connection_note_record(const struct context *x, struct connection *c)
{
    struct extension *e = (struct extension *)c - 1;
    uint64_t now = context_ms(x);
    bool goes_on = c->active_ms == now || (c->input.bytes && c->input.bytes->stamp == now);

    if (!transport_is_within_record(&c->transport))
        e->record_ms = 0;
    else if (e->record_ms == 0 || goes_on)
        e->record_ms = now;
}

uint64_t connection_deadline(const struct context *x, const struct connection *c)
{
    const struct settings *s = c->settings;
    uint64_t d = TIMER_NEVER;

    if (output_holds(&c->output))
        return TIMER_NEVER;
    if (connection_state(c) == CONNECTION_LINGERING)
        return linger_deadline(x, c);
    if (!output_is_empty(&c->output))
        d = timer_after(output_progress_ms(&c->output), s->write_ms);
    if (c->transport.owner_flags & CONNECTION_ENDING)
        return c->active_ms + CONNECTION_LINGER_MS;
    if (connection_state(c) != CONNECTION_OPEN)
        return d;
    if (connection_is_limited(c))
        return MIN(d, connection_resume_ms(c));
    if (input_is_unfinished(&c->input) && !connection_is_owed_enough(c))
        d = MIN(d, timer_after(c->input.bytes->stamp, s->message_ms));
    if (connection_record_ms(c) > 0 && !connection_is_owed_enough(c))
        d = MIN(d, timer_after(connection_record_ms(c), s->message_ms));
    if (output_is_empty(&c->output) && !input_is_pending(&c->input))
        d = MIN(d, timer_after(c->active_ms, s->idle_ms));
    return d;
}

void connection_arm(struct context *x, struct connection *c)
{
    uint64_t d = connection_deadline(x, c);

    if (d != TIMER_NEVER && (!timer_armed(&c->timer) || d < c->timer.expires))
        context_arm(x, &c->timer, d);
}

static void drain(void *item, void *userdata)
{
    struct connection *c = item;
    struct context *x = userdata;

    if (connection_state(c) == CONNECTION_CLOSED)
        return;
    c->transport.owner_flags |= CONNECTION_DRAINING;
    transport_mark(&c->transport);
    transport_recheck(&c->transport); /* only EAGAIN proves that nothing has arrived */
    loop_queue(&x->loop, &c->transport.source);
}

static struct connection *connection_of(void *extension)
{
    return (struct connection *)((struct extension *)extension + 1);
}

struct each {
    void (*fn)(void *connection, void *userdata);
    void *userdata;
};

static void each_extended(void *item, void *userdata)
{
    const struct each *e = userdata;

    e->fn(connection_of(item), e->userdata);
}

void connection_for_each(struct context *x, void (*fn)(void *connection, void *userdata),
                         void *userdata)
{
    struct each e = { fn, userdata };

    pool_for_each(&x->connections, fn, userdata);
    pool_for_each(&x->extended, each_extended, &e);
}

void connection_drain_all(struct context *x)
{
    connection_for_each(x, drain, x);
}

_cold_ void connection_tell_not_taken(int error)
{
    event_log(EVENT_MEMORY_LIMIT, "could not take a connection: %s", strerror(-error));
}

void connection_turn_away(struct context *x, const struct arrival *arrival)
{
    (void)close_fd(arrival->fd);
    tls_free(arrival->tls);
    give_up_place(x, &arrival->peer, arrival->counted);
    settings_unref(arrival->settings);
    free(arrival->origin);
}

/* --- memory --------------------------------------------------------------------------------- */

_Static_assert(sizeof(struct extension) % _Alignof(struct connection) == 0, "see connection_of()");

void connection_pools_init(struct context *x)
{
    pool_init(&x->connections, sizeof(struct connection));
    pool_init(&x->extended, sizeof(struct extension) + sizeof(struct connection));
}

void connection_pools_deinit(struct context *x)
{
    pool_deinit(&x->connections);
    pool_deinit(&x->extended);
}

static struct connection *allocate(struct context *x, bool extended)
{
    struct extension *e;

    if (!extended)
        return pool_alloc(&x->connections);
    e = pool_alloc(&x->extended);
    return e ? connection_of(e) : NULL;
}

static bool arrival_is_extended(const struct arrival *a)
{
    return a->origin || a->tls;
}

static void release(struct context *x, struct connection *c, bool extended)
{
    if (extended)
        pool_free(&x->extended, (struct extension *)c - 1);
    else
        pool_free(&x->connections, c);
}

static void connection_free(struct context *x, struct connection *c)
{
    bool extended = c->transport.owner_flags & CONNECTION_EXTENDED;

    settings_unref(c->settings);
    if (extended)
        free(((struct extension *)c - 1)->origin);
    release(x, c, extended);
}

/* The socket, and what is known about it. 0 or a negative errno. */
static int take_over(struct context *x, struct connection *c, const struct arrival *arrival,
                     bool registered)
{
    struct transport *t = &c->transport;
    int r;

    transport_init(t, arrival->fd, SOURCE_CONNECTION, &arrival->peer, arrival->is_unix);
    if (arrival->tls)
        transport_use_tls(t, arrival->tls);
    r = transport_register(t, &x->loop, registered);
    if (r < 0)
        return r;
    t->owner_flags = CONNECTION_PLACED | (arrival->counted ? CONNECTION_COUNTED : 0);
    if (arrival_is_extended(arrival)) {
        t->owner_flags |= CONNECTION_EXTENDED;
        ((struct extension *)c - 1)->origin = arrival->origin;
    }
    /* No edge announces what came with the end of the handshake. */
    if (arrival->tls && tls_has_bytes(arrival->tls)) {
        transport_recheck(t);
        loop_queue(&x->loop, &t->source);
    }
    return 0;
}

int connection_open(struct context *x, const struct arrival *arrival, bool registered)
{
    bool extended = arrival_is_extended(arrival);
    struct connection *c = allocate(x, extended);
    int r = c ? take_over(x, c, arrival, registered) : -ENOMEM;

    if (r < 0) {
        if (c)
            release(x, c, extended);
        return r;
    }
    c->settings = arrival->settings;
    c->timer.kind = TIMER_CONNECTION;
    c->active_ms = context_ms(x);
    c->input.session.number =
        atomic_fetch_add_explicit(&x->shared->last_connection, 1, memory_order_relaxed) + 1;
    /* Another worker may have accepted it from a listener that this worker does not have. */
    if (context_recorder(x, c->settings))
        recorder_need(context_recorder(x, c->settings));
    x->n_live++;
    count(&x->counters.accepted, 1);
    if (x->draining)
        drain(c, x);
    connection_arm(x, c);
    return 0;
}

void connection_free_buried(struct context *x)
{
    while (x->buried) {
        struct connection *c = CONTAINER_OF(x->buried, struct connection, transport.source);

        assert(connection_state(c) == CONNECTION_CLOSED && !c->transport.source.queued);
        assert(!c->input.bytes && output_is_empty(&c->output) && !link_linked(&c->timer.link));
        x->buried = c->transport.source.next;
        connection_free(x, c);
    }
}

static void close_one(void *item, void *userdata)
{
    struct connection *c = item;
    struct context *x = userdata;

    if (connection_state(c) != CONNECTION_CLOSED)
        connection_end(x, c, false);
}

/* Frees even connections that are still on the ready list. */
static void free_one(void *item, void *userdata)
{
    struct connection *c = item;
    struct context *x = userdata;

    connection_free(x, c);
}

void connection_close_all(struct context *x)
{
    connection_for_each(x, close_one, x);
    connection_for_each(x, free_one, x);
    x->buried = NULL;
}
