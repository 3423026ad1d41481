/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "answerd/settings.h"
#include "base/timer.h"
#include "net/loop.h"
#include "net/peer.h"

struct listener;
struct worker;

/*
 * One worker's way to a listening socket. Every worker accepts from every listener by itself: a
 * connection that comes to the thread which will serve it costs no switch between threads.
 * EPOLLEXCLUSIVE keeps one new connection from waking all of them (epoll_ctl(2)); since it then
 * tends to wake the same one, a worker that has more connections than another hands the new one
 * over.
 *
 * One that can accept nothing now, for want of a place or a descriptor, is not in the loop: it would
 * take the wake-ups that are meant for others. It goes on as soon as a connection ends, on whichever
 * worker, and looks by itself now and then.
 */
struct acceptor {
    struct source source; /* first, see worker.c; its descriptor is the listener's own */
    struct timer retry;
    struct acceptor *next;
    struct listener *listener;
    struct settings *settings; /* a reference: for new connections */
    bool registered;           /* with the worker's loop */
    bool paused;               /* no descriptor, place or memory was free */
    unsigned failures;         /* of accept4() in a row */
};

/* For a worker to come, made on any thread; NULL, out of memory. */
struct acceptor *acceptor_new(struct listener *listener, struct settings *settings);
/* One that has not begun. */
void acceptor_discard(struct acceptor *a);

/* Registers with the worker's loop; where that fails, tries again by itself, and says so. */
void acceptor_begin(struct worker *w, struct acceptor *a);
void acceptor_free(struct worker *w, struct acceptor *a);

/* Accepts until there is nothing more, or the turn's share is done. */
void acceptor_dispatch(struct worker *w, struct acceptor *a);

/* Ends a pause, if there is one. */
void acceptor_resume(struct worker *w, struct acceptor *a);

/* An accepted connection on its way to another worker, which finds this in its loop. */
struct handover {
    struct source source; /* first, see worker.c */
    struct peer peer;
    struct settings *settings; /* a reference */
    bool counted;
};

/* Takes over the connection, on the worker that it was given to. */
void handover_dispatch(struct worker *w, struct handover *h);

/* Closes it instead. */
void handover_discard(struct worker *w, struct handover *h);
