/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "net/socket.h"
#include "record/event-log.h"
#include "serve/admission.h"
#include "serve/handshake.h"

#define STEPS_PER_TURN 4 /* up to 1 ms */
#define GIVE_WAY_MS    1000

#define RECORD_OF_HANDSHAKE 22 /* how TLS begins (RFC 8446, 5.1) */

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
    connection_tell_not_taken(-ENOMEM);
    return STAGE_OVER;
}

static struct handshake *first(const struct link_queue *q)
{
    return q->first ? CONTAINER_OF(q->first, struct handshake, link) : NULL;
}

/* A worker has an equal share of the places. */
static bool has_place(const struct context *x, const struct settings *s)
{
    uint64_t n = x->handshakes.n;

    return n == 0 || (n * x->shared->n_contexts < s->max_handshakes &&
                      budget_may_hold(&x->budget, HANDSHAKE_MEMORY));
}

static void unlink_from(struct context *x, struct handshake *h)
{
    if (link_linked(&h->link))
        link_queue_remove(h->tls ? &x->handshakes.under_way : &x->handshakes.waiters, &h->link);
}

void handshakes_check(struct context *x)
{
    const struct link *l = x->handshakes.waiters.first;

    for (unsigned i = 0; _unlikely_(l) && i < STEPS_PER_TURN; i++, l = l->next) {
        const struct handshake *h = CONTAINER_OF((struct link *)l, struct handshake, link);

        if (!has_place(x, h->settings))
            break;
        loop_queue(&x->loop, h->source);
    }
}

static void arm_give_way(struct context *x)
{
    const struct handshake *oldest = first(&x->handshakes.under_way);

    if (x->handshakes.waiters.first && oldest && !timer_armed(&x->handshakes.give_way))
        context_arm(x, &x->handshakes.give_way, oldest->began_ms + GIVE_WAY_MS);
}

/* One for each that waits. */
void handshakes_expire(struct context *x)
{
    struct handshake *oldest;

    for (const struct link *l = x->handshakes.waiters.first;
         l && (oldest = first(&x->handshakes.under_way)) &&
         oldest->began_ms + GIVE_WAY_MS <= context_ms(x);
         l = l->next) {
        link_queue_remove(&x->handshakes.under_way, &oldest->link);
        oldest->evicted = true;
        loop_queue(&x->loop, oldest->source);
    }
    arm_give_way(x);
}

_cold_ static enum stage give_way(struct context *x, const struct arrival *a)
{
    struct event_about who = { .peer = &a->peer, .listener = a->settings->name };

    count(&x->counters.timeouts, 1);
    event_log_about(EVENT_TIMEOUT, &who,
                    "cut off: no complete TLS handshake for 1s, and others wait: MaxHandshakes= "
                    "or MemoryLimit= is reached");
    return STAGE_OVER;
}

/* Gets a place, or waits for one behind those that came before. */
static enum stage begin(struct context *x, struct handshake *h, const struct arrival *a)
{
    const struct handshake *next = first(&x->handshakes.waiters);

    if (!has_place(x, a->settings) || (next && next != h)) {
        if (!link_linked(&h->link))
            link_queue_append(&x->handshakes.waiters, &h->link);
        arm_give_way(x);
        return STAGE_WAITS;
    }
    unlink_from(x, h);
    h->tls = tls_server_accept(a->settings->tls, h->source, a->is_unix, a->settings->rules.mute);
    if (!h->tls)
        return no_memory(x);
    h->began_ms = context_ms(x);
    link_queue_append(&x->handshakes.under_way, &h->link);
    x->handshakes.n++;
    budget_hold(&x->budget, HANDSHAKE_MEMORY);
    arm_give_way(x);
    return STAGE_DONE;
}

/* Gives the arrival all that the handshake has brought. */
static enum stage hand_over(struct context *x, struct handshake *h, struct arrival *a)
{
    const struct tls_server *server = a->settings->tls;
    char name[TLS_NAME_MAX + 1];

    /* If we verify clients, we do not rely on the proxy's word for a name. */
    if (tls_server_client_name(server, h->tls, name) > 0 ||
        (a->origin && tls_server_verifies(server))) {
        struct origin *named = origin_new_named(a->origin, name);

        if (!named)
            return no_memory(x);
        free(a->origin);
        a->origin = named;
    }
    a->tls = h->tls;
    return STAGE_DONE;
}

/* A client that speaks plain gets a plain reply: OpenSSL would close without a word. */
static enum stage look(struct context *x, struct handshake *h, const struct arrival *a)
{
    ssize_t n;

    do
        n = recv(a->fd, x->scratch, 1, MSG_PEEK | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    /* Behind a PROXY header, nothing may have come yet. */
    if (n < 0 && errno == EAGAIN) {
        h->source->ready &= READY_OUT;
        return STAGE_WAITS;
    }
    if (n <= 0 || x->scratch[0] == RECORD_OF_HANDSHAKE)
        return begin(x, h, a);
    /* With unread input, close() would destroy the reply (tcp(7)). */
    (void)recv(a->fd, x->scratch, sizeof x->scratch, MSG_DONTWAIT);
    admission_tell(x, a->settings, a->fd, "TLS is required");
    return refuse(x, a, "the client does not speak TLS");
}

/* Balancers only open and close a connection to check a server. */
static bool is_silent(const struct source *s)
{
    return s->ready & (READY_RDHUP | READY_HUP | READY_ERR) && socket_unread(s->fd) == 0;
}

enum stage handshake_continue(struct context *x, struct handshake *h, struct arrival *a)
{
    enum stage stage = STAGE_DONE;
    const char *error;
    int r;

    if (h->evicted)
        return give_way(x, a);
    if (!h->tls && !(h->source->ready & READY_INPUT))
        return STAGE_WAITS;
    if (!h->tls)
        stage = is_silent(h->source) ? STAGE_OVER : look(x, h, a);
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
    return refuse(x, a, r == -EPROTO ? error : strerror(-r));
}

void handshake_leave(struct context *x, struct handshake *h, bool keep)
{
    unlink_from(x, h);
    if (h->tls) {
        if (!keep)
            tls_free(h->tls);
        h->tls = NULL;
        x->handshakes.n--;
        budget_release(&x->budget, HANDSHAKE_MEMORY);
    }
}
