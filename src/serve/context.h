/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
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
 * to the worker's thread, but for what is marked. A field that one part alone writes names it.
 */

struct connection;
struct display;
struct recorder;

/* A peer as text: see peer_format_address(), peer_format_port() and peer_join(). */
struct peer_names {
    char address[PEER_TEXT_MAX], port[PEER_TEXT_MAX], both[PEER_TEXT_MAX];
};

/* What a source is part of: source.kind. */
enum source_kind {
    SOURCE_CONNECTION,
    SOURCE_ACCEPTOR,
    SOURCE_HANDOVER,
    SOURCE_RECORDER,
    SOURCE_COMMAND
};

/* What a timer is part of: timer.kind. */
enum timer_kind { TIMER_CONNECTION, TIMER_ACCEPTOR, TIMER_TRIM };

enum command {
    COMMAND_PING = 1 << 0,   /* say that you are alive */
    COMMAND_DRAIN = 1 << 1,  /* the orderly stop: answer what has arrived, then end */
    COMMAND_STOP = 1 << 2,   /* end at once */
    COMMAND_PLAN = 1 << 3,   /* there is a new plan */
    COMMAND_RESUME = 1 << 4, /* a place is free: accept again */
};

struct context {
    struct shared *shared;
    struct loop loop;
    struct timer_wheel wheel; /* ms, on the clock of now.mono_us */
    struct moment now;        /* of this turn; .mono_us leaves out the time of stalls */
    uint64_t now_ms;          /* now.mono_us in ms, as timers count */
    uint64_t stalled_us;      /* how long this worker stood still in the midst of turns */
    struct budget budget;
    struct pool connections;
    size_t n_live;         /* connections that have not ended; connection.c */
    struct source *buried; /* ended connections, freed at the end of the turn; connection.c */
    void (*trace)(const struct connection *c, int from, int to); /* for tests; NULL */
    struct recorder *recorders[RECORD_MODES]; /* by enum record_mode; NULL: nothing is recorded */
    struct display *display;                  /* NULL: nobody looks */
    struct buffer *reply;                     /* scratch, else empty: the replies of one read */
    struct peer_names names;                  /* scratch: how records call a peer */
    bool draining;                            /* COMMAND_DRAIN has come; worker.c */

    /* For other threads, too. */
    struct source command;               /* an eventfd: there are commands */
    atomic_uint commands;                /* enum command */
    atomic_uint_least64_t n_connections; /* that have a place here, or are on their way here */
    atomic_bool accepting_pauses;        /* wants COMMAND_RESUME; acceptor.c */
    atomic_uint n_outages;               /* recorders whose sink does not take all; recorder.c */
    struct counters counters;

    /* Bytes received, or short replies that go together. Nothing is flushed while bytes received are
     * in use. */
    uint8_t scratch[READ_SIZE];
};

/* x: zero, but for .connections. shared: outlives the context. 0 or a negative errno;
 * context_deinit() follows in both cases. */
int context_init(struct context *x, struct shared *shared);
void context_deinit(struct context *x);

/* The time of this turn, in ms of a monotonic clock. */
static inline uint64_t context_ms(const struct context *x)
{
    return x->now_ms;
}

/* Reads the clocks: once a turn. */
void context_read_clock(struct context *x);

/* At the end of a turn. A turn that took very long stood still: the process was stopped, or its
 * machine. All that the turn noted carries a time before that. So the worker's clock goes on from
 * there, and no deadline comes early. */
void context_leave_out_stall(struct context *x);

/* What context_ms() would be if the clock were read now. */
uint64_t context_ms_now(const struct context *x);

/* Arms a timer for that time, or arms it anew. */
static inline void context_arm(struct context *x, struct timer *t, uint64_t ms)
{
    timer_set(&x->wheel, t, ms);
}

/* The recorder that settings ask for, or NULL where messages are not recorded. */
static inline struct recorder *context_recorder(const struct context *x,
                                                const struct settings *settings)
{
    return x->recorders[settings->record];
}

/* From any thread: sends enum command bits to the worker, and wakes it. */
void context_command(struct context *x, unsigned commands);

/* Takes the commands that have come since the last call. */
unsigned context_take_commands(struct context *x);

/* Tells the main thread that something it asked for is done. */
void context_notify(const struct context *x);

/* A connection has given up its place: workers whose accepting pauses may go on. */
void context_place_is_free(struct context *x);
