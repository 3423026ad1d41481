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
 * A loop, and all that belongs to it alone: acceptors, connections, timers, recorders. It takes
 * turns; which thread does that, if any, is nothing to it. Others reach it in two ways only: by
 * commands, and by registering an accepted socket with its loop.
 *
 * In a turn the ready parts act, and what they recorded is submitted at its end. Those whose slots
 * became whole by that send their replies before the turn is over.
 */

/* What to accept from, and with which settings: one for each worker, which takes the acceptors and
 * frees the rest. */
struct worker_plan {
    size_t n;
    struct acceptor *acceptors[];
};

void worker_plan_free(struct worker_plan *plan);

struct worker {
    struct context context;
    struct recorder journal, console;
    struct display display;
    struct acceptor *acceptors;
    struct timer trim; /* of memory */
    bool stopping;

    /* For other threads. */
    unsigned index;
    _Atomic(struct worker_plan *) plan;
    atomic_uint pings_answered;
    atomic_uint plans_done;
    atomic_bool ended;
};

/* Creates a worker, which does nothing before its first turn. 0 or a negative errno. */
int worker_new(struct shared *shared, unsigned index, struct worker **ret);
void worker_free(struct worker *w);

/* Waits for events, and acts on them. */
void worker_turn(struct worker *w);

/* Whether it has done what COMMAND_DRAIN or COMMAND_STOP asked for. */
bool worker_is_done(const struct worker *w);

/* Takes turns until it is done, and then closes everything. */
void worker_run(struct worker *w);

/* Closes all connections and recorders. No turn may follow. */
void worker_close(struct worker *w);

/* From any thread. The plan is taken over. */
void worker_serve(struct worker *w, struct worker_plan *plan);
