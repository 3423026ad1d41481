/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "record/event-log.h"
#include "serve/handshake.h"

#define STEPS_PER_TURN 4 /* up to 1 ms */

_cold_ static enum stage refuse(struct context *x, const struct arrival *a, const char *reason)
{
    struct event_about who = { .peer = &a->peer, .listener = a->settings->name };

    count(&x->counters.refused, 1);
    event_log_about(EVENT_TLS_REFUSED, &who, "refused: TLS handshake failed: %s", reason);
    return STAGE_OVER;
}

_cold_ static enum stage no_memory(struct context *x)
{
    count(&x->counters.shed, 1);
    event_log(EVENT_MEMORY_LIMIT, "could not take a connection: %s", strerror(ENOMEM));
    return STAGE_OVER;
}

/* A worker has an equal share of the places. */
static bool has_place(const struct context *x, const struct settings *s)
{
    return x->handshakes.n < DIV_ROUND_UP(s->max_handshakes, (uint64_t)x->shared->n_contexts);
}

/* Whoever has waited goes before those that come now. */
static bool may_begin(const struct context *x, const struct handshake *h, const struct settings *s)
{
    const struct link *first = x->handshakes.waiters.first;

    return has_place(x, s) && (!first || first == &h->wait);
}

static void stop_waiting(struct context *x, struct handshake *h)
{
    if (link_linked(&h->wait))
        link_queue_remove(&x->handshakes.waiters, &h->wait);
}

static void wake_next(struct context *x)
{
    struct link *next = x->handshakes.waiters.first;

    if (next)
        loop_queue(&x->loop, CONTAINER_OF(next, struct handshake, wait)->source);
}

static enum stage begin(struct context *x, struct handshake *h, const struct arrival *a)
{
    if (!may_begin(x, h, a->settings)) {
        if (!link_linked(&h->wait))
            link_queue_append(&x->handshakes.waiters, &h->wait);
        return STAGE_WAITS;
    }
    h->tls = tls_server_accept(a->settings->tls, h->source, a->is_unix);
    if (!h->tls)
        return no_memory(x);
    x->handshakes.n++;
    stop_waiting(x, h);
    if (has_place(x, a->settings))
        wake_next(x);
    return STAGE_DONE;
}

/* Gives the arrival all that the handshake has brought. */
static enum stage hand_over(struct context *x, struct handshake *h, struct arrival *a)
{
    char name[TLS_NAME_MAX + 1];

    if (tls_server_client_name(a->settings->tls, h->tls, name) > 0) {
        struct origin *named = origin_new_named(a->origin, name);

        if (!named)
            return no_memory(x);
        free(a->origin);
        a->origin = named;
    }
    a->tls = h->tls;
    return STAGE_DONE;
}

enum stage handshake_continue(struct context *x, struct handshake *h, struct arrival *a)
{
    enum stage stage = STAGE_DONE;
    const char *error;
    int r;

    if (!h->tls && !(h->source->ready & READY_INPUT))
        return STAGE_WAITS;
    if (!h->tls)
        stage = begin(x, h, a);
    if (stage != STAGE_DONE)
        return stage;
    if (x->handshakes.steps == STEPS_PER_TURN && !x->draining) {
        loop_queue(&x->loop, h->source);
        return STAGE_WAITS;
    }
    x->handshakes.steps++;
    r = tls_handshake(h->tls, &error);
    if (r == 0)
        return hand_over(x, h, a);
    if (r == -EAGAIN)
        return STAGE_WAITS;
    /* Only opened and closed, as balancers do to check a server. */
    if (r == -ENODATA)
        return STAGE_OVER;
    return refuse(x, a, r == -EPROTO ? error : strerror(-r));
}

void handshake_leave(struct context *x, struct handshake *h, bool keep)
{
    stop_waiting(x, h);
    if (!h->tls)
        return;
    if (!keep)
        tls_free(h->tls);
    h->tls = NULL;
    x->handshakes.n--;
    wake_next(x);
}
