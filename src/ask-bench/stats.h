/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/histogram.h"

/*
 * What a worker counts, in memory that it shares with the coordinator: the worker alone writes,
 * with relaxed stores, and the coordinator reads at any moment. So nothing needs to be sent, and
 * what a worker counted outlives it.
 */

/* Kinds of errors. Those before ERROR_REFUSED count connections that failed or ended. */
enum error_kind {
    ERROR_ABSENT,      /* nobody listens, or a UNIX socket's path is not there */
    ERROR_UNREACHABLE, /* no route, or the network said no */
    ERROR_RESET,       /* the server reset the connection */
    ERROR_CLOSED,      /* the server ended the connection */
    ERROR_TIMEOUT,     /* no connection, or no reply, within the timeout */
    ERROR_PORTS,       /* no local port was free */
    ERROR_SYSTEM,      /* any other system call that failed: descriptors, memory … */
    ERROR_PROTOCOL,    /* what came is not a reply in the framing asked for */
    ERROR_REFUSED,     /* a reply `error: REASON`, and then the end of the connection */
    ERROR_MISMATCHED,  /* a reply is not the message (--verify=echo), or not as --expect says */
    ERROR_UNEXPECTED,  /* a reply more than there were messages */
    ERROR_UNANSWERED,  /* messages that no reply came to */
    ERROR_WORKER,      /* a process of the generator's own died */
    ERROR_KINDS
};

const char *error_name(enum error_kind kind);

/* The kind for an errno value from connect(2), send(2) or recv(2). */
enum error_kind error_from_errno(int error);

/* Counters that only grow, so that two states of them can be subtracted. */
struct counters {
    uint64_t connects; /* connections established */
    uint64_t sent;     /* messages */
    uint64_t replies;  /* the replies that answered a message */
    uint64_t bytes_out, bytes_in;
    uint64_t late;    /* messages that the worker came to LATE_NS or more after they were due,
                         whether their connection was free or not: the generator's fault */
    uint64_t busy_ns; /* time not spent waiting for events */
    uint64_t errors[ERROR_KINDS];
};

#define LATE_NS UINT64_C(1000000)

#define STAT_ADD(counter, n)      __atomic_store_n(&(counter), (counter) + (n), __ATOMIC_RELAXED)
#define STAT_SET(variable, value) __atomic_store_n(&(variable), (value), __ATOMIC_RELAXED)
#define STAT_GET(variable)        __atomic_load_n(&(variable), __ATOMIC_RELAXED)

struct worker_stats {
    struct counters counters;
    uint64_t open;          /* connections at this moment */
    uint64_t peak;          /* the most of them */
    uint64_t late_max_ns;   /* since the coordinator last set it to 0 */
    uint64_t cpu_ns;        /* used by the worker between its first message and its last reply */
    uint64_t last_reply_ns; /* when the latest reply came */
    uint64_t planned;       /* messages that were due: asked for, sent or not */
    uint32_t settled;       /* the last step of the run (enum step) that is complete here */
    struct histogram latency;
    struct histogram connect; /* from connect() to the connection being established */
};

/* The steps of a run, given by the coordinator. With --hold, STEP_RUN is the second round of
 * questions, and what follows it the third and so on. */
enum step { STEP_CONNECT = 1, STEP_RUN = 2, STEP_STOP = UINT32_MAX };

struct control {
    uint32_t step;     /* what to do now */
    uint32_t hurry;    /* with STEP_STOP: do not wait for replies */
    uint64_t start_ns; /* when STEP_RUN began */
};

/* into += from, from being another process's. */
void counters_add(struct counters *into, const struct counters *from);

/* later - earlier. */
struct counters counters_difference(const struct counters *later, const struct counters *earlier);

uint64_t counters_errors(const struct counters *c);

static inline void stats_error(struct worker_stats *s, enum error_kind kind, uint64_t n)
{
    STAT_ADD(s->counters.errors[kind], n);
}

static inline void stats_reply(struct worker_stats *s, uint64_t latency_ns)
{
    histogram_record(&s->latency, latency_ns);
    STAT_ADD(s->counters.replies, 1);
}
