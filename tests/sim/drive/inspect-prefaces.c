/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Invariants of what comes before a connection, of a worker that is about to sleep. */

#include <inttypes.h>

#include "../descriptors.h"
#include "../trace.h"
#include "base/macros.h"
#include "conn.h"
#include "inspect.h"
#include "process.h"
#include "serve/preface.h"

static const struct preface *preface_of(struct handshake *h)
{
    return CONTAINER_OF(h, struct preface, handshake);
}

static uint64_t share_of(const struct preface *p)
{
    return DIV_ROUND_UP(p->arrival.settings->max_handshakes, (uint64_t)process.n_workers);
}

/* A handshake that could go on is on the ready list, or waits for an edge, or for a place. */
static void look_for_stall(const struct preface *p)
{
    bool readable = p->source.ready & READY_INPUT, writable = p->source.ready & READY_OUT,
         waits = link_linked(&p->handshake.link) && !p->handshake.tls;

    if (p->source.queued)
        sim_violate("a worker sleeps, and a connection could begin");
    if (p->has_header && readable && writable && !waits)
        sim_violate("a handshake could go on, and is not ready");
    if (p->has_header && !p->arrival.settings->tls)
        sim_violate("a connection waits for a handshake, and it is plain");
    if (p->has_header && p->arrival.settings->handshake_ms != TIMER_NEVER &&
        !timer_armed(&p->deadline))
        sim_violate("a handshake has a deadline and no timer");
}

/* Whoever says nothing takes no place. */
static void look_at_place(const struct preface *p)
{
    struct sim_file *file = sim_descriptor(p->source.fd);
    const struct conn *c =
        file && sim_stream_is(file) ? ((struct sim_stream *)file)->observed : NULL;

    if (c && c->cipher_received == 0)
        sim_violate("connection %u: it has said nothing, and its handshake is under way",
                    c->number);
}

static void look_at_waiters(const struct context *x)
{
    struct link *first = x->handshakes.waiters.first;
    struct handshake *next;

    if (!first)
        return;
    next = CONTAINER_OF(first, struct handshake, link);
    if (x->handshakes.n == 0 || (x->handshakes.n < share_of(preface_of(next)) &&
                                 budget_may_hold(&x->budget, HANDSHAKE_MEMORY)))
        sim_violate("there is a place for a handshake, and the next one sleeps");
    if (x->handshakes.under_way.first && !timer_armed(&x->handshakes.give_way))
        sim_violate("a handshake waits for a place, and no other has to give way");
}

void inspect_prefaces(const struct context *x)
{
    uint64_t n = 0, most = 0;

    for (struct link *l = x->prefaces; l; l = l->next) {
        const struct preface *p = CONTAINER_OF(l, struct preface, link);

        n += p->handshake.tls != NULL;
        if (p->handshake.tls) {
            most = MAX(most, share_of(p));
            look_at_place(p);
        }
        look_for_stall(p);
    }
    if (n != x->handshakes.n)
        sim_violate("%" PRIu64 " handshakes are under way, and the worker says %" PRIu64, n,
                    x->handshakes.n);
    if (n > most)
        sim_violate("%" PRIu64 " handshakes are under way, and MaxHandshakes= allows %" PRIu64, n,
                    most);
    look_at_waiters(x);
}
