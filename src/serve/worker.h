/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "record/display.h"
#include "serve/acceptor.h"
#include "serve/context.h"
#include "serve/recorder.h"

/*
 * A loop with everything that belongs to it: acceptors, connections, timers, recorders. It takes
 * turns on any thread. Other threads reach it in only two ways: by commands, and by registering an
 * accepted socket with its loop.
 *
 * In a turn the ready parts act. At its end the recorders submit the new records. Connections whose
 * slots became whole send their replies in the same turn.
 */

/* The listeners to accept from, with their settings. Each worker gets its own plan: it takes the
 * acceptors, and frees the rest. */
struct worker_plan {
    size_t n;
    struct acceptor *acceptors[];
};

/* Frees the plan with its acceptors. NULL is fine. */
void worker_plan_free(struct worker_plan *plan);

struct worker {
    struct context context;
    struct recorder journal, log, console; /* in context.recorders */
    struct display display;
    struct acceptor *acceptors;
    struct timer trim; /* of unused memory */
    bool stopping;     /* immediately: COMMAND_STOP has come, or the loop has failed */

    /* Also for other threads. */
    unsigned index;
    _Atomic(struct worker_plan *) plan; /* to be carried out; NULL: none */
    atomic_uint pings_answered;
    atomic_uint plans_done; /* carried out, or replaced by a newer one */
    atomic_bool ended;      /* worker_run() has closed everything */
};

/* Creates a worker, which does nothing before its first turn. shared: outlives the worker. 0 or a
 * negative errno. */
int worker_new(struct shared *shared, unsigned index, struct worker **ret);
/* Call after worker_close(), when no other thread can reach the worker any more. */
void worker_free(struct worker *w);

/* One turn: waits for events, and handles them. */
void worker_turn(struct worker *w);

/* Whether it has finished what COMMAND_DRAIN or COMMAND_STOP asked for. */
bool worker_is_done(const struct worker *w);

/* Takes turns until it is done, then closes everything. */
void worker_run(struct worker *w);

/* Closes all connections, acceptors and recorders. No turn may follow. */
void worker_close(struct worker *w);

/* Tells the worker to accept from the plan's listeners, and from no others. From any thread. The
 * worker owns the plan from now on. It replaces a plan that the worker has not seen yet. */
void worker_send_plan(struct worker *w, struct worker_plan *plan);
