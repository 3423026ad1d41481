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
 * turns, and does not care on which thread. Other threads reach it in two ways only: by commands,
 * and by registering an accepted socket with its loop.
 *
 * In a turn the ready parts act, and what they recorded is submitted at its end. Connections whose
 * slots became whole by that send their replies before the turn is over.
 */

/* What to accept from, and with which settings. Each worker gets one of its own: it takes the
 * acceptors, and frees the rest. */
struct worker_plan {
    size_t n;
    struct acceptor *acceptors[];
};

/* Frees it with its acceptors. NULL is fine. */
void worker_plan_free(struct worker_plan *plan);

struct worker {
    struct context context;
    struct recorder journal, console; /* for RECORD_JOURNAL, and for RECORD_STDERR */
    struct display display;
    struct acceptor *acceptors;
    struct timer trim; /* of memory */
    bool stopping;     /* at once: COMMAND_STOP has come, or the loop has failed */

    /* For other threads, too. */
    unsigned index;
    _Atomic(struct worker_plan *) plan; /* to be carried out; NULL: none */
    atomic_uint pings_answered;
    atomic_uint plans_done; /* carried out, or replaced by a newer one before that */
    atomic_bool ended;      /* worker_run() has closed everything */
};

/* Creates a worker, which does nothing before its first turn. shared: outlives it. 0 or a negative
 * errno. */
int worker_new(struct shared *shared, unsigned index, struct worker **ret);
/* After worker_close(), and when no other thread can reach the worker any more. */
void worker_free(struct worker *w);

/* One turn: waits for events, and acts on them. */
void worker_turn(struct worker *w);

/* Whether it has done what COMMAND_DRAIN or COMMAND_STOP asked for. */
bool worker_is_done(const struct worker *w);

/* Takes turns until it is done, and then closes everything. */
void worker_run(struct worker *w);

/* Closes all connections, acceptors and recorders. No turn may follow. */
void worker_close(struct worker *w);

/* From any thread: the worker accepts from the plan's listeners from now on, and from no others.
 * The plan is taken over. A plan that the worker has not seen yet is replaced. */
void worker_send_plan(struct worker *w, struct worker_plan *plan);
