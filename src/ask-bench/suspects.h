/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ask-bench/stats.h"
#include "base/timer.h"
#include "net/loop.h"
#include "net/tls.h"

/*
 * A reply that begins like a refusal is one if the connection then ends. Until then it counts
 * neither way.
 *
 * With --churn a client has no further use for the connection. It gives the connection to this pool
 * and goes on. There the connection has a second to end. The pool is bounded: when it is full, the
 * oldest connection is let off early. A server that refuses ends the connection with the reply, so
 * much less than a second is enough.
 */

enum suspect { SUSPECT_NONE, SUSPECT_REPLY, SUSPECT_UNASKED };

struct suspicion {
    uint64_t latency_ns; /* of a reply to a message */
    uint8_t kind;        /* enum suspect */
    bool mismatched;     /* the reply is not the expected one */
};

/* The connection goes on: the reply is an ordinary one, and is counted. */
void suspicion_acquit(struct suspicion *s, struct worker_stats *stats);

/* The connection has ended: counts a refusal. */
void suspicion_convict(struct suspicion *s, struct worker_stats *stats);

#define SUSPECTS_MAX 256

struct suspect_connection {
    struct source source; /* fd -1: a free place */
    struct tls *tls;      /* NULL: without TLS */
    uint64_t until_ns;
    struct suspicion suspicion;
};

struct suspects {
    struct loop *loop;
    struct timer_wheel *wheel;
    struct worker_stats *stats;
    struct timer timer;
    uint32_t count;
    uint32_t next; /* the next place to use; it may still hold the oldest connection */
    struct suspect_connection all[SUSPECTS_MAX];
};

/* source_kind, timer_kind: mark the pool's sources and timer. */
void suspects_init(struct suspects *p, struct loop *loop, struct timer_wheel *wheel,
                   struct worker_stats *stats, uint8_t source_kind, uint8_t timer_kind);

/* Takes over fd, which is registered with the loop, and its TLS stream, if it has one. */
void suspects_add(struct suspects *p, int fd, struct tls *tls, const struct suspicion *s,
                  uint64_t now_ns);

/* Handles an event of a connection in the pool. */
void suspects_event(struct suspects *p, struct suspect_connection *c);

/* Handles the expiry of the timer. */
void suspects_timer(struct suspects *p, uint64_t now_ns);

/* The run is over: counts all replies as ordinary. */
void suspects_acquit_all(struct suspects *p);
