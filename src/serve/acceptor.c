/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/address.h"
#include "record/event-log.h"
#include "serve/acceptor.h"
#include "serve/admission.h"
#include "serve/preface.h"

#define ACCEPTS_PER_DISPATCH 64
#define FAILURES_IN_A_ROW    16
#define PAUSE_MS             100 /* until the next look for a free descriptor or place */
#define IMBALANCE                                                                                  \
    4 /* hand over if this worker has so many connections more than
                                    the least loaded one */

/* epoll(7). */
static const char no_watch[] = "fs.epoll.max_user_watches is reached";

struct acceptor *acceptor_new(int fd, const char *address, struct settings *settings)
{
    struct acceptor *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->source = (struct source){ .fd = fd, .kind = SOURCE_ACCEPTOR };
    a->retry.kind = TIMER_ACCEPTOR;
    a->address = address;
    a->settings = settings_ref(settings);
    return a;
}

void acceptor_discard(struct acceptor *a)
{
    settings_unref(a->settings);
    free(a);
}

void acceptor_change(struct acceptor *a, struct settings *settings)
{
    settings_unref(a->settings);
    a->settings = settings_ref(settings);
}

static bool is_full(const struct context *x)
{
    return atomic_load(&x->shared->n_connections) >= atomic_load(&x->shared->max_connections);
}

static void retry_later(struct context *x, struct acceptor *a)
{
    context_arm(x, &a->retry, context_ms(x) + PAUSE_MS);
}

/* Pauses until the timer expires, or a connection ends on any worker. for_place: a connection may
 * have ended before accepting_pauses was set. Then no worker sends COMMAND_RESUME, so this looks
 * again. */
static void pause_accepting(struct context *x, struct acceptor *a, bool for_place)
{
    loop_remove(&x->loop, &a->source);
    a->registered = false;
    a->source.ready = 0;
    retry_later(x, a);
    atomic_store(&x->accepting_pauses, true);
    if (for_place && !is_full(x))
        acceptor_resume(x, a);
}

void acceptor_begin(struct context *x, struct acceptor *a)
{
    /* Connections already in the backlog are reported once, as an ordinary edge (epoll(7)). */
    int r = loop_add(&x->loop, &a->source, EPOLLIN | EPOLLEXCLUSIVE);

    a->registered = r == 0;
    if (a->registered)
        return;
    event_log(EVENT_ACCEPT_FAILED, "%s: accepting pauses: %s", a->address,
              r == -ENOSPC ? no_watch : strerror(-r));
    retry_later(x, a);
}

void acceptor_free(struct context *x, struct acceptor *a)
{
    if (a->registered)
        loop_remove(&x->loop, &a->source);
    loop_unqueue(&x->loop, &a->source);
    timer_cancel(&a->retry);
    acceptor_discard(a);
}

void acceptor_resume(struct context *x, struct acceptor *a)
{
    if (a->registered)
        return;
    a->failures = 0;
    timer_cancel(&a->retry);
    acceptor_begin(x, a);
}

/* The worker with the fewest connections; but this one, unless it clearly has more. */
static struct context *choose(struct context *x)
{
    uint64_t own = atomic_load_explicit(&x->n_connections, memory_order_relaxed), least = own;
    struct context *chosen = x;

    for (unsigned i = 0; i < x->shared->n_contexts; i++) {
        struct context *other = x->shared->contexts[i];
        uint64_t n = atomic_load_explicit(&other->n_connections, memory_order_relaxed);

        if (n + IMBALANCE < own && n < least) {
            least = n;
            chosen = other;
        }
    }
    return chosen;
}

/* Registers the socket with the other worker's loop. The socket is writable, which wakes that
 * worker immediately. False on failure: the caller still owns the arrival. */
static bool hand_over(struct context *to, const struct arrival *arrival)
{
    struct handover *h = calloc(1, sizeof *h);

    if (!h)
        return false;
    h->source = (struct source){ .fd = arrival->fd, .kind = SOURCE_HANDOVER };
    h->arrival = *arrival;
    if (loop_add(&to->loop, &h->source, EPOLLIN | EPOLLOUT) == 0)
        return true;
    free(h);
    return false;
}

static void turn_away(struct context *x, const struct arrival *arrival, int error)
{
    connection_tell_not_taken(error);
    connection_turn_away(x, arrival);
}

static int begin(struct context *x, const struct arrival *arrival, bool registered)
{
    return preface_is_needed(arrival->settings) ? preface_open(x, arrival, registered)
                                                : connection_open(x, arrival, registered);
}

void handover_dispatch(struct context *x, struct handover *h)
{
    int r = begin(x, &h->arrival, true);

    if (r < 0)
        turn_away(x, &h->arrival, r);
    free(h);
}

/* If the kernel watches no more sockets, the connection takes the listener's place in the loop. The
 * listener waits until a place is free. If a connection could not be opened, accepting pauses: the
 * next one would fail too. */
static void open_here(struct context *x, struct acceptor *a, const struct arrival *arrival)
{
    int r = begin(x, arrival, false);

    if (r == -ENOSPC) {
        event_log(EVENT_ACCEPT_FAILED, "%s: accepting pauses: %s", a->address, no_watch);
        pause_accepting(x, a, false);
        r = begin(x, arrival, false);
    }
    if (r == 0)
        return;
    turn_away(x, arrival, r);
    if (a->registered)
        pause_accepting(x, a, false);
}

void handover_discard(struct context *x, struct handover *h)
{
    connection_turn_away(x, &h->arrival);
    free(h);
}

/* A proxy's client is admitted once the proxy has said who it is. */
static bool admit(struct context *x, const struct settings *s, struct arrival *arrival)
{
    if (s->proxy)
        return admission_proxy(x, s, &arrival->peer);
    return admission_client(x, s, arrival->fd, &arrival->peer, &arrival->counted);
}

static void take_in(struct context *x, struct acceptor *a, int fd, const struct sockaddr *sa)
{
    struct arrival arrival = { .fd = fd };
    struct context *to;

    peer_init(&arrival.peer, fd, sa);
    arrival.is_unix = arrival.peer.is_unix;
    if (!admit(x, a->settings, &arrival)) {
        (void)close(fd);
        return;
    }
    arrival.settings = settings_ref(a->settings);
    to = choose(x);
    atomic_fetch_add_explicit(&x->shared->n_connections, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&to->n_connections, 1, memory_order_relaxed);
    if (to != x) {
        if (hand_over(to, &arrival))
            return;
        atomic_fetch_sub_explicit(&to->n_connections, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&x->n_connections, 1, memory_order_relaxed);
    }
    open_here(x, a, &arrival);
}

/* accept4() failed. Returns false if accepting stops for now: it pauses, or the backlog is
 * empty. */
static bool after_failure(struct context *x, struct acceptor *a, int error)
{
    switch (error) {
    case EAGAIN:
        a->source.ready = 0;
        return false;
    case EINTR:
        return true;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        event_log(EVENT_ACCEPT_FAILED, "%s: accepting pauses: %s", a->address, strerror(error));
        pause_accepting(x, a, false);
        return false;
    default:
        /* accept4() also reports errors of a waiting connection, and the listener continues
         * (accept(2), "Error handling"). An error that repeats is not about one connection. */
        event_log(EVENT_ACCEPT_FAILED, "%s: could not accept a connection: %s", a->address,
                  strerror(error));
        if (++a->failures < FAILURES_IN_A_ROW)
            return true;
        pause_accepting(x, a, false);
        return false;
    }
}

/* Returns false if accepting stops for now. */
static bool accept_one(struct context *x, struct acceptor *a)
{
    struct sockaddr_any address = { .size = sizeof address.storage };
    int fd;

    if (is_full(x)) {
        event_log(EVENT_CONNECTION_LIMIT,
                  "MaxConnections=%" PRIu64 " reached: accepting pauses until a connection ends",
                  atomic_load(&x->shared->max_connections));
        pause_accepting(x, a, true);
        return false;
    }
    fd = accept4(a->source.fd, &address.sa, &address.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return after_failure(x, a, errno);
    a->failures = 0;
    take_in(x, a, fd, &address.sa);
    return a->registered;
}

void acceptor_dispatch(struct context *x, struct acceptor *a)
{
    if (!a->registered)
        return;
    for (unsigned i = 0; i < ACCEPTS_PER_DISPATCH; i++)
        if (!accept_one(x, a))
            return;
    loop_queue(&x->loop, &a->source);
}
