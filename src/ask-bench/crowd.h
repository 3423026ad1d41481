/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ask-bench/message.h"
#include "ask-bench/options.h"
#include "ask-bench/pacer.h"
#include "ask-bench/sources.h"
#include "ask-bench/stats.h"
#include "ask-bench/suspects.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/timer.h"
#include "net/address.h"
#include "net/loop.h"

/*
 * The clients of one worker, and what they share. client.h has what a client does.
 */

#define RECEIVE_SIZE (256 * 1024) /* bytes that one read returns at most */

enum client_state {
    CLIENT_CLOSED,
    CLIENT_WAITING, /* for the timer, to connect again */
    CLIENT_CONNECTING,
    CLIENT_OPEN,
};

struct client {
    struct source source;
    struct timer timer;
    uint64_t progress_ns;       /* the last thing that happened: what the timeout counts from */
    uint64_t planned;           /* MODE_OPEN: the worker's number of its next message */
    struct buffer *partial;     /* a reply that has not come completely */
    uint32_t in_flight;         /* messages without a reply, sent or partly sent */
    uint32_t oldest;            /* of them, in its ring of times */
    uint32_t owed;              /* messages that are due and wait for room */
    uint32_t unsent;            /* bytes of those in flight */
    uint32_t out_at;            /* where in the cycle of messages the next byte is */
    uint16_t expected;          /* the message in the cycle that the next reply belongs to */
    bool tried;                 /* to connect, whatever came of it */
    struct suspicion suspicion; /* of its last reply, until another reply or the run's end */
};

/* Of sources in a crowd's loop, and of timers in its wheel. */
enum crowd_kind { KIND_CLIENT, KIND_SUSPECT, KIND_WORKER };

/* The clients of one worker, and what they have in common. */
struct crowd {
    const struct options *options;
    const struct message *message;
    const struct sockaddr_any *target;
    const struct sources *sources;
    struct worker_stats *stats;
    struct loop loop;
    struct timer_wheel wheel; /* of CLOCK_MONOTONIC's ms */
    struct pacer pacer;       /* MODE_OPEN: when messages are due */
    struct client *clients;
    uint64_t *due; /* options->pipeline for each client: when its messages in flight were due */
    uint8_t *scratch;
    uint32_t n_clients;
    uint64_t turn_ns; /* when the loop's turn began: what it brings came before that */
    uint64_t now_ns;  /* the latest look at the clock */
    uint64_t source;  /* the number of the next local address */
    uint64_t source_step;
    uint64_t timeout_ns;      /* of the options */
    uint64_t budget;          /* MODE_CLOSED: messages that may yet be sent */
    uint64_t in_flight;       /* of all clients */
    uint64_t owed;            /* of all clients */
    uint32_t n_suspects;      /* clients whose last reply is suspected */
    uint32_t connecting;      /* clients */
    uint32_t untried;         /* clients whose first attempt to connect has had no outcome */
    bool ending;              /* no new messages, and no new attempts to connect */
    struct suspects suspects; /* --churn: connections that clients gave away */
};

/* Replies that count neither way yet. */
static inline uint32_t crowd_suspects(const struct crowd *crowd)
{
    return crowd->n_suspects + crowd->suspects.count;
}

/* n_clients and everything above must be set. 0 or -errno. */
int crowd_init(struct crowd *crowd);

static inline uint64_t crowd_now(struct crowd *crowd)
{
    return crowd->now_ns = clock_ns(CLOCK_MONOTONIC);
}

/* Begins or ends the suspicion that the last reply was a refusal. Counts nothing. */
void crowd_suspect(struct crowd *crowd, struct client *c, enum suspect kind);

/* The connection goes on: a suspected reply is an ordinary one. */
void crowd_acquit(struct crowd *crowd, struct client *c);
