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
 * connection that comes to the thread which will serve it costs no switch between threads.
 * EPOLLEXCLUSIVE keeps one new connection from waking all of them (epoll_ctl(2)); since it then
 * tends to wake the same one, a worker that has more connections than another hands the new one
 * over.
 *
 * One that pauses is not in the loop, or it would take wake-ups that another worker could use.
 */
struct acceptor {
    struct source source; /* first, see worker.c; its descriptor is the listener's own */
    struct timer retry;
    struct acceptor *next;
    const char *address;       /* where it listens; the listener's */
    struct settings *settings; /* a reference: for new connections */
    bool registered;           /* with the worker's loop; else it pauses */
    unsigned failures;         /* of accept4() in a row */
};

/* For a worker to come, made on any thread; NULL, out of memory. The descriptor and the address stay
 * the listener's, and must live longer. */
struct acceptor *acceptor_new(int fd, const char *address, struct settings *settings);
/* One that has not begun. */
void acceptor_discard(struct acceptor *a);

/* New connections get these settings. */
void acceptor_change(struct acceptor *a, struct settings *settings);

/* Registers with the worker's loop; where that fails, tries again by itself, and says so. */
void acceptor_begin(struct context *x, struct acceptor *a);
void acceptor_free(struct context *x, struct acceptor *a);

/* Accepts until there is nothing more, or the turn's share is done. */
void acceptor_dispatch(struct context *x, struct acceptor *a);

/* Ends a pause. */
void acceptor_resume(struct context *x, struct acceptor *a);

/* An accepted connection on its way to another worker, which finds this in its loop. */
struct handover {
    struct source source; /* first, see worker.c */
    struct arrival arrival;
};

/* Takes over the connection, on the worker that it was given to. */
void handover_dispatch(struct context *x, struct handover *h);

/* Closes it instead. */
void handover_discard(struct context *x, struct handover *h);
