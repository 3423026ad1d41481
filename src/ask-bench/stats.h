/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "base/histogram.h"

/*
 * The counters of a worker, in memory shared with the coordinator. Only the worker writes, with
 * relaxed stores. The coordinator reads at any time. So nothing needs to be sent, and the counts
 * survive the worker.
 */

/* Kinds of errors. Those before ERROR_REFUSED count failed or ended connections. */
enum error_kind {
    ERROR_ABSENT,      /* nobody listens, or the path of a UNIX socket does not exist */
    ERROR_UNREACHABLE, /* no route, or the network refused */
    ERROR_RESET,       /* the server reset the connection */
    ERROR_CLOSED,      /* the server ended the connection */
    ERROR_TIMEOUT,     /* no connection, or no reply, within the timeout */
    ERROR_PORTS,       /* no local port was free */
    ERROR_SYSTEM,      /* another system call failed: descriptors, memory … */
    ERROR_TLS,         /* the handshake failed, or the stream broke the rules of TLS */
    ERROR_CUT,         /* with TLS: the stream ended without close_notify */
    ERROR_PROTOCOL,    /* data that is not a reply in this framing, or a reply cut off */
    ERROR_REFUSED,     /* a reply `error: REASON`, then the end of the connection */
    ERROR_MISMATCHED,  /* a reply that is not the message (--verify=echo) or does not match
                          (--expect) */
    ERROR_UNEXPECTED,  /* a reply without a message */
    ERROR_UNANSWERED,  /* a message without a reply */
    ERROR_WORKER,      /* a worker process died */
    ERROR_KINDS
};

const char *error_name(enum error_kind kind);

/* The kind for an errno value from connect(2), of a stream (stream.h) or of replies_parse(). */
enum error_kind error_from_errno(int error);

/* Counters that only grow: two states can be subtracted. */
struct counters {
    uint64_t connects; /* connections established */
    uint64_t resumed;  /* of these, with a TLS session of an earlier one */
    uint64_t sent;     /* messages */
    uint64_t replies;  /* replies to messages */
    uint64_t bytes_out, bytes_in;
    uint64_t late;    /* messages begun LATE_NS or more after they were due, whether or not their
                         connection was free: the generator is to blame */
    uint64_t busy_ns; /* time in which the worker did not wait for events */
    uint64_t errors[ERROR_KINDS];
};

#define LATE_NS       UINT64_C(1000000)
#define TLS_ERROR_MAX 512

#define STAT_ADD(counter, n)      __atomic_store_n(&(counter), (counter) + (n), __ATOMIC_RELAXED)
#define STAT_SET(variable, value) __atomic_store_n(&(variable), (value), __ATOMIC_RELAXED)
#define STAT_GET(variable)        __atomic_load_n(&(variable), __ATOMIC_RELAXED)

struct worker_stats {
    struct counters counters;
    uint64_t open;                 /* connections now */
    uint64_t peak;                 /* the highest value of open */
    uint64_t late_max_ns;          /* since the coordinator last set it to 0 */
    uint64_t cpu_ns;               /* CPU time between its first message and its last reply */
    uint64_t last_reply_ns;        /* when the latest reply came */
    uint64_t planned;              /* messages that were due, sent or not */
    char tls_error[TLS_ERROR_MAX]; /* the explanation of its first failed handshake, or "" */
    uint32_t settled;              /* the last step (enum step) that the worker has completed */
    struct histogram latency;
    struct histogram connect; /* from connect() until the connection is established */
};

/* The steps of a run, set by the coordinator. With --hold, STEP_RUN is the second round of
 * questions, the next number the third, and so on. */
enum step { STEP_CONNECT = 1, STEP_RUN = 2, STEP_STOP = UINT32_MAX };

struct control {
    uint32_t step;     /* what to do now */
    uint32_t hurry;    /* with STEP_STOP: do not wait for replies */
    uint64_t start_ns; /* when STEP_RUN began */
};

/* into += from. Another process may be writing to from. */
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
