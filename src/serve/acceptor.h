/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "base/timer.h"
#include "net/loop.h"
#include "serve/connection.h"
#include "serve/context.h"
#include "serve/settings.h"

/*
 * One worker's way to a listening socket. Every worker accepts from every listener by itself: a
 * connection costs no switch between threads where its own thread accepts it. EPOLLEXCLUSIVE keeps
 * one new connection from waking all workers (epoll_ctl(2)). It tends to wake the same worker each
 * time. So a worker that has more connections than another hands the new one over.
 *
 * An acceptor that pauses is not in the loop, or it would take wake-ups that another worker could
 * use.
 */
struct acceptor {
    struct source source; /* first, see worker.c; its descriptor is the listener's own */
    struct timer retry;
    struct acceptor *next;
    const char *address;       /* where it listens; the listener's */
    struct settings *settings; /* a reference: for new connections */
    bool registered;           /* with the worker's loop; else it has not begun, or it pauses */
    unsigned failures;         /* of accept4() in a row */
};

/* For a worker that will take it; made on any thread. It takes a reference to the settings. The
 * descriptor and the address stay the listener's, and must live longer. NULL, out of memory. */
struct acceptor *acceptor_new(int fd, const char *address, struct settings *settings);
/* Frees one that has not begun. */
void acceptor_discard(struct acceptor *a);

/* New connections get these settings. It takes a reference to them. */
void acceptor_change(struct acceptor *a, struct settings *settings);

/* Registers with the worker's loop. Where that fails, the log says so, and it tries again by
 * itself. */
void acceptor_begin(struct context *x, struct acceptor *a);
/* Ends one that has begun, and frees it. */
void acceptor_free(struct context *x, struct acceptor *a);

/* Accepts until there is nothing more, or the turn's share is done. */
void acceptor_dispatch(struct context *x, struct acceptor *a);

/* Ends a pause, if there is one. */
void acceptor_resume(struct context *x, struct acceptor *a);

/* An accepted connection on its way to another worker, which finds this in its loop. */
struct handover {
    struct source source; /* first, see worker.c */
    struct arrival arrival;
};

/* Takes over the connection, on the worker that it was given to, and frees the handover. */
void handover_dispatch(struct context *x, struct handover *h);

/* Closes the connection instead, and frees the handover. */
void handover_discard(struct context *x, struct handover *h);
