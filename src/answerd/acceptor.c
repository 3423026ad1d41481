/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answerd/acceptor.h"
#include "answerd/connection.h"
#include "answerd/listener.h"
#include "answerd/log.h"
#include "answerd/worker.h"

#define ACCEPTS_PER_TURN  64
#define FAILURES_IN_A_ROW 16
#define PAUSE_MS          100 /* before looking for a free descriptor or place again */
#define IMBALANCE         4   /* connections that a worker may have above the least loaded one */

/* What ENOSPC means, of epoll_ctl(2). */
static const char no_watch[] =
    "the kernel watches no more sockets for this user (fs.epoll.max_user_watches)";

struct acceptor *acceptor_new(struct listener *listener, struct settings *settings)
{
    struct acceptor *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->source = (struct source){ .fd = listener->fd, .kind = SOURCE_ACCEPTOR };
    a->listener = listener;
    a->settings = settings_ref(settings);
    return a;
}

void acceptor_discard(struct acceptor *a)
{
    settings_unref(a->settings);
    free(a);
}

static void unregister(struct worker *w, struct acceptor *a)
{
    if (a->registered)
        loop_remove(&w->loop, &a->source);
    loop_unqueue(&w->loop, &a->source);
    a->registered = false;
}

static void pause_accepting(struct worker *w, struct acceptor *a)
{
    unregister(w, a);
    a->paused = true;
    atomic_fetch_add(&w->n_paused, 1);
    timer_set(&w->wheel, &a->retry, worker_ms(w) + PAUSE_MS);
}

static void unpause(struct worker *w, struct acceptor *a)
{
    if (!a->paused)
        return;
    a->paused = false;
    atomic_fetch_sub(&w->n_paused, 1);
    timer_cancel(&a->retry);
}

void acceptor_begin(struct worker *w, struct acceptor *a)
{
    /* A backlog that has filled up before, or in a pause, is reported once, as an edge like any other
     * (epoll(7)). */
    int r = loop_add(&w->loop, &a->source, EPOLLIN | EPOLLEXCLUSIVE);

    a->registered = r == 0;
    if (a->registered)
        return;
    log_event(EVENT_ACCEPT_FAILED, "%s: accepting waits: %s", a->listener->address,
              r == -ENOSPC ? no_watch : strerror(-r));
    pause_accepting(w, a);
}

void acceptor_free(struct worker *w, struct acceptor *a)
{
    unregister(w, a);
    unpause(w, a);
    acceptor_discard(a);
}

/* Of all workers the one with the fewest connections, unless this one has hardly more. */
static struct worker *choose(struct worker *w)
{
    uint64_t own = atomic_load_explicit(&w->n_connections, memory_order_relaxed), least = own;
    struct worker *chosen = w;

    for (unsigned i = 0; i < w->shared->n_workers; i++) {
        struct worker *other = w->shared->workers[i];
        uint64_t n = atomic_load_explicit(&other->n_connections, memory_order_relaxed);

        if (n + IMBALANCE < own && n < least) {
            least = n;
            chosen = other;
        }
    }
    return chosen;
}

/* Lets the other worker's loop report the socket: it is writable at once, so that no further call
 * wakes the worker. */
static bool hand_over(struct worker *to, struct acceptor *a, int fd, const struct peer *peer,
                      bool counted)
{
    struct handover *h = calloc(1, sizeof *h);

    if (!h)
        return false;
    *h = (struct handover){
        .source = { .fd = fd, .kind = SOURCE_HANDOVER },
        .peer = *peer,
        .settings = settings_ref(a->settings),
        .counted = counted,
    };
    if (loop_add(&to->loop, &h->source, CONNECTION_EVENTS) == 0)
        return true;
    settings_unref(h->settings);
    free(h);
    return false;
}

void handover_dispatch(struct worker *w, struct handover *h)
{
    int r = connection_open(w, h->source.fd, &h->peer, h->settings, h->counted, true);

    if (r < 0)
        connection_give_up(w, h->source.fd, &h->peer, h->settings, h->counted, r);
    free(h);
}

void handover_discard(struct worker *w, struct handover *h)
{
    connection_give_back(w, h->source.fd, &h->peer, h->settings, h->counted);
    free(h);
}

/* Says why and closes; the peer is not listened to. The few bytes fit into any new socket's
 * buffer. */
static void refuse(struct worker *w, struct acceptor *a, int fd, const struct peer *peer)
{
    struct log_connection who = { .peer = peer, .listener = a->settings->name };

    count(&w->counters.refused, 1);
    log_connection_event(EVENT_ADDRESS_LIMIT, &who, "refused: MaxConnectionsPerAddress= reached");
    buffer_clear(w->reply);
    if (session_append_error(&a->settings->rules, "too many connections from your address",
                             &w->reply) == 0)
        (void)send(fd, buffer_head(w->reply), buffer_size(w->reply), MSG_NOSIGNAL | MSG_DONTWAIT);
    buffer_clear(w->reply);
    (void)close(fd);
}

/* Makes it a connection of this worker's. Where the kernel watches no more sockets, it can have the
 * place of the listener's, which waits until there is another. */
static void keep(struct worker *w, struct acceptor *a, int fd, const struct peer *peer,
                 bool counted)
{
    struct settings *settings = settings_ref(a->settings);
    int r = connection_open(w, fd, peer, settings, counted, false);

    if (r == -ENOSPC) {
        log_event(EVENT_ACCEPT_FAILED, "%s: accepting pauses: %s", a->listener->address, no_watch);
        pause_accepting(w, a);
        r = connection_open(w, fd, peer, settings, counted, false);
    }
    if (r < 0)
        connection_give_up(w, fd, peer, settings, counted, r);
}

static void take_in(struct worker *w, struct acceptor *a, int fd, const struct sockaddr *sa)
{
    struct worker *to;
    struct peer peer;
    bool counted;

    peer_init(&peer, fd, sa);
    if (!address_limit_claim(&w->shared->addresses, &peer, &counted)) {
        refuse(w, a, fd, &peer);
        return;
    }
    to = choose(w);
    atomic_fetch_add_explicit(&w->shared->n_connections, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&to->n_connections, 1, memory_order_relaxed);
    if (to != w) {
        if (hand_over(to, a, fd, &peer, counted))
            return;
        atomic_fetch_sub_explicit(&to->n_connections, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&w->n_connections, 1, memory_order_relaxed);
    }
    keep(w, a, fd, &peer, counted);
}

static bool full(const struct worker *w)
{
    return atomic_load(&w->shared->n_connections) >= atomic_load(&w->shared->max_connections);
}

/* Whether there is a place for another connection; else pauses. */
static bool has_place(struct worker *w, struct acceptor *a)
{
    if (!full(w))
        return true;
    log_event(EVENT_CONNECTION_LIMIT,
              "%" PRIu64 " connections: no more are accepted until one ends (MaxConnections=)",
              atomic_load(&w->shared->max_connections));
    pause_accepting(w, a);
    /* One may have ended before it could see that there is a pause. */
    if (!full(w))
        acceptor_resume(w, a);
    return false;
}

/* False: not now. */
static bool accept_one(struct worker *w, struct acceptor *a)
{
    struct sockaddr_any address = { .size = sizeof address.storage };
    int fd, error;

    if (!has_place(w, a))
        return false;
    fd = accept4(a->source.fd, &address.sa, &address.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        a->failures = 0;
        take_in(w, a, fd, &address.sa);
        return !a->paused;
    }
    error = errno; /* logging may set another */
    switch (error) {
    case EAGAIN:
        a->source.ready = 0;
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        log_event(EVENT_ACCEPT_FAILED, "%s: accepting pauses: %s", a->listener->address,
                  strerror(error));
        pause_accepting(w, a);
        return false;
    case EINTR:
        return true;
    default:
        /* What happened to a connection while it waited is not the listener's end (accept(2),
         * "Error handling"). What happens again and again is not of one connection. */
        log_event(EVENT_ACCEPT_FAILED, "%s: a connection could not be accepted: %s",
                  a->listener->address, strerror(error));
        if (++a->failures < FAILURES_IN_A_ROW)
            return true;
        pause_accepting(w, a);
        return false;
    }
}

void acceptor_dispatch(struct worker *w, struct acceptor *a)
{
    if (a->paused)
        return;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++)
        if (!accept_one(w, a))
            return;
    loop_queue(&w->loop, &a->source);
}

void acceptor_resume(struct worker *w, struct acceptor *a)
{
    if (!a->paused)
        return;
    unpause(w, a);
    a->failures = 0;
    acceptor_begin(w, a);
}
