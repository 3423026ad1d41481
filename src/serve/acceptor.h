/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "base/timer.h"
#include "net/loop.h"
#include "serve/connection.h"
#include "serve/context.h"
#include "serve/settings.h"

/*
 * One worker's side of a listening socket. Every worker accepts from every listener itself, so a
 * connection that stays on its worker costs no thread switch. EPOLLEXCLUSIVE keeps one new
 * connection from waking all workers (epoll_ctl(2)). It tends to wake the same worker each time. So
 * a worker with more connections than another hands the new one over.
 *
 * While it pauses, an acceptor is not in the loop. Otherwise it would take wake-ups that another
 * worker could use.
 */
struct acceptor {
    struct source source; /* first, see worker.c; the listener owns its descriptor */
    struct timer retry;
    struct acceptor *next;
    const char *address;       /* where it listens; owned by the listener */
    struct settings *settings; /* for new connections; a reference */
    bool registered;           /* with the worker's loop; if not, it has not begun, or it pauses */
    unsigned failures;         /* consecutive failures of accept4() */
};

/* Makes an acceptor for a worker, on any thread. Takes a reference to the settings. The listener
 * keeps the descriptor and the address, and must outlive the acceptor. NULL: out of memory. */
struct acceptor *acceptor_new(int fd, const char *address, struct settings *settings);
/* Frees an acceptor that has not begun. */
void acceptor_discard(struct acceptor *a);

/* Sets the settings of new connections, and takes a reference to them. */
void acceptor_change(struct acceptor *a, struct settings *settings);

/* Registers with the worker's loop. On failure it logs an event, and retries by itself. */
void acceptor_begin(struct context *x, struct acceptor *a);
/* Ends an acceptor that has begun, and frees it. */
void acceptor_free(struct context *x, struct acceptor *a);

/* Accepts until the backlog is empty, or the share of one dispatch is used up. */
void acceptor_dispatch(struct context *x, struct acceptor *a);

/* Ends a pause, if there is one. */
void acceptor_resume(struct context *x, struct acceptor *a);

/* An accepted connection on its way to another worker, whose loop reports it. */
struct handover {
    struct source source; /* first, see worker.c */
    struct arrival arrival;
};

/* Takes over the connection, on the receiving worker, and frees the handover. */
void handover_dispatch(struct context *x, struct handover *h);

/* Closes the connection instead, and frees the handover. */
void handover_discard(struct context *x, struct handover *h);
