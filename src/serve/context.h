/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/link.h"
#include "base/pool.h"
#include "base/timer.h"
#include "net/loop.h"
#include "net/peer.h"
#include "serve/budget.h"
#include "serve/counters.h"
#include "serve/settings.h"
#include "serve/shared.h"

/*
 * What the parts of one worker share: its loop, clock, timers, memory and scratch space. It belongs
 * to the worker's thread, except where marked. If only one part writes a field, the field names
 * that part.
 */

struct connection;
struct display;
struct recorder;

/* A peer as text: see peer_format_address(), peer_format_port() and peer_join(). */
struct peer_names {
    char address[PEER_TEXT_MAX], port[PEER_TEXT_MAX], both[PEER_TEXT_MAX];
};

/* TLS handshakes on one worker. */
struct handshakes {
    struct link_queue waiters;   /* for a place */
    struct link_queue under_way; /* that have a place, the oldest first */
    struct timer give_way;       /* when the oldest has to, if another one waits */
    uint64_t n;                  /* that have a place */
    unsigned steps;              /* taken in this turn; worker.c begins it anew */
};

/* What a source is part of: source.kind. */
enum source_kind {
    SOURCE_CONNECTION,
    SOURCE_ACCEPTOR,
    SOURCE_HANDOVER,
    SOURCE_PREFACE,
    SOURCE_RECORDER,
    SOURCE_COMMAND
};

/* What a timer is part of: timer.kind. */
enum timer_kind { TIMER_CONNECTION, TIMER_PREFACE, TIMER_HANDSHAKE, TIMER_ACCEPTOR, TIMER_TRIM };

enum command {
    COMMAND_PING = 1 << 0,   /* report that the worker is alive */
    COMMAND_DRAIN = 1 << 1,  /* orderly stop: answer the input that has arrived, then end */
    COMMAND_STOP = 1 << 2,   /* end immediately */
    COMMAND_PLAN = 1 << 3,   /* carry out the new plan */
    COMMAND_RESUME = 1 << 4, /* a place is free: accept again */
};

struct context {
    struct shared *shared;
    struct loop loop;
    struct timer_wheel wheel; /* ms, on the clock of now.mono_us */
    struct moment now;        /* of this turn; .mono_us leaves out stalls */
    uint64_t now_ms;          /* now.mono_us in ms, as timers count */
    uint64_t stalled_us;      /* how long this worker has stalled within turns */
    struct budget budget;
    struct pool connections, extended; /* the latter have a struct extension; connection.c */
    struct link *prefaces;             /* preface.c */
    struct handshakes handshakes;      /* handshake.c */
    size_t n_live;                     /* connections that have not ended; connection.c */
    struct source *buried; /* ended connections, freed at the end of the turn; connection.c */
    void (*trace)(const struct connection *c, int from, int to); /* for tests; NULL */
    struct recorder *recorders[RECORD_MODES]; /* by enum record_mode; NULL: no recording */
    struct display *display;                  /* NULL: no display */
    struct buffer *reply;                     /* scratch, empty otherwise: the replies of one
                                                 read */
    struct peer_names names;                  /* scratch: the peer's names for records */
    bool draining;                            /* COMMAND_DRAIN has come; worker.c */

    /* Also for other threads. */
    struct source command;               /* an eventfd that wakes the worker */
    atomic_uint commands;                /* enum command */
    atomic_uint_least64_t n_connections; /* connections with a place here, or on their way here */
    atomic_bool accepting_pauses;        /* wants COMMAND_RESUME; acceptor.c */
    atomic_uint outages;                 /* bits 1 << enum record_mode: recorders whose sink
                                            does not take everything; recorder.c */
    struct counters counters;

    /* Received bytes, or short replies sent together. Nothing is flushed while received bytes are
     * in use. */
    uint8_t scratch[READ_SIZE];
};

/* x: zero, except for .connections. shared: outlives the context. 0 or a negative errno. Call
 * context_deinit() in both cases. */
int context_init(struct context *x, struct shared *shared);
void context_deinit(struct context *x);

/* The time of this turn, in ms of a monotonic clock. */
static inline uint64_t context_ms(const struct context *x)
{
    return x->now_ms;
}

/* Reads the clocks, once per turn. */
void context_read_clock(struct context *x);

/* Call at the end of a turn. If the turn took very long, the process or its machine was stopped.
 * All times noted in this turn are from before the stall. So the worker's clock leaves the stall
 * out, and no deadline comes early. */
void context_leave_out_stall(struct context *x);

/* What context_ms() would be if the clock were read now. */
uint64_t context_ms_now(const struct context *x);

/* Arms or re-arms a timer for that time. */
static inline void context_arm(struct context *x, struct timer *t, uint64_t ms)
{
    timer_set(&x->wheel, t, ms);
}

/* The recorder for these settings, or NULL if messages are not recorded. */
static inline struct recorder *context_recorder(const struct context *x,
                                                const struct settings *settings)
{
    return x->recorders[settings->record];
}

/* Sends enum command bits to the worker, and wakes it. From any thread. */
void context_command(struct context *x, unsigned commands);

/* Takes the commands that have arrived since the last call. */
unsigned context_take_commands(struct context *x);

/* Tells the main thread that a task it requested is done. */
void context_notify(const struct context *x);

/* Call after a connection gave up its place: paused acceptors of all workers may continue. */
void context_place_is_free(struct context *x);
