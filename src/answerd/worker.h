/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "answerd/acceptor.h"
#include "answerd/recorder.h"
#include "answerd/shared.h"
#include "base/clock.h"
#include "base/pool.h"
#include "base/timer.h"
#include "net/loop.h"

/*
 * A thread with a loop, and all that belongs to it alone: connections, timers, recorders, scratch
 * space. Others reach it in two ways only: by commands, and by registering an accepted socket with
 * its loop.
 */

#define READ_SIZE (128 * 1024) /* what one recv() may return */

/* What a source is part of: source.kind. */
enum source_kind {
    SOURCE_CONNECTION,
    SOURCE_ACCEPTOR,
    SOURCE_HANDOVER,
    SOURCE_RECORDER,
    SOURCE_PAUSE,
    SOURCE_COMMAND
};

/* Written by the worker alone and read by anyone: relaxed, and without the bus lock of an atomic
 * increment. */
typedef atomic_uint_least64_t counter;

static inline void count(counter *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline uint64_t counter_get(const counter *c)
{
    return atomic_load_explicit((counter *)c, memory_order_relaxed);
}

struct counters {
    counter accepted, refused, messages, bytes_in, bytes_out, timeouts, protocol_errors, shed,
        discarded;
};

enum worker_command {
    WORKER_PING = 1 << 0,   /* say that you are alive */
    WORKER_DRAIN = 1 << 1,  /* answer what has arrived, then end */
    WORKER_STOP = 1 << 2,   /* end at once */
    WORKER_ACCEPT = 1 << 3, /* a place is free */
};

/* What to accept from, and with which settings: one for each worker, which takes the acceptors and
 * frees the rest. */
struct worker_plan {
    size_t n;
    struct acceptor *acceptors[];
};

void worker_plan_free(struct worker_plan *plan);

struct worker {
    struct shared *shared;
    struct loop loop;
    struct timer_wheel wheel;
    struct moment now;
    struct pool connections;
    struct recorder journal, console;
    struct acceptor *acceptors;
    struct buffer *reply;     /* scratch: replies that need no record */
    struct source *graveyard; /* closed connections, to be freed at the end of the turn */
    size_t memory;            /* bytes in the buffers of all connections */
    size_t memory_peak;       /* since memory was last given back to the system */
    struct timer trim;
    size_t detached; /* connections without a socket, whose messages wait to be recorded */
    bool draining, stopping;

    struct source command; /* an eventfd */
    atomic_uint commands;  /* enum worker_command */
    _Atomic(struct worker_plan *) plan;

    /* For other threads. */
    pthread_t thread;
    unsigned index;
    atomic_uint_least64_t n_connections; /* how loaded this worker is */
    atomic_uint pings_answered;
    atomic_uint plans_done;
    atomic_bool ended;
    atomic_uint waiting;  /* recorders that take nothing */
    atomic_uint n_paused; /* acceptors that wait for a place */
    struct counters counters;

    uint8_t scratch[READ_SIZE];
};

/* Creates a worker and its thread. 0 or a negative errno. */
int worker_new(struct shared *shared, unsigned index, struct worker **ret);

/* From any thread: enum worker_command bits, and a plan, which is taken over. */
void worker_command(struct worker *w, unsigned commands);
void worker_serve(struct worker *w, struct worker_plan *plan);

/* Waits for the thread's end. */
void worker_join(struct worker *w);

/* Frees everything, when no worker's thread runs any more. */
void worker_free(struct worker *w);

/* --- for the parts of a worker, on its own thread --- */

static inline uint64_t worker_ms(const struct worker *w)
{
    /* The analyzer holds it possible that &w->journal is NULL, and w then too. */
    return w->now.mono_us / 1000; // NOLINT(clang-analyzer-core.NullDereference)
}

/* The recorder that settings ask for, or NULL where messages are not written down. */
static inline struct recorder *worker_recorder(struct worker *w, const struct settings *settings)
{
    switch (settings->record) {
    case RECORD_JOURNAL:
        return &w->journal;
    case RECORD_STDERR:
        return &w->console;
    case RECORD_NONE:
        break;
    }
    return NULL;
}

/* The connection's memory is freed at the end of the turn. */
void worker_bury(struct worker *w, struct connection *c);

/* A connection has ended, and is not counted any more: one that waits for a place may come. */
void worker_connection_gone(struct worker *w);
