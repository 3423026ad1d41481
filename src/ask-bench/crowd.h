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
#include "net/tls-client.h"

/*
 * The clients of one worker, and what they share. client.h has what a client does.
 */

#define RECEIVE_SIZE (256 * 1024) /* bytes that one read returns at most */

enum client_state {
    CLIENT_CLOSED,
    CLIENT_WAITING, /* until the timer expires, to connect again */
    CLIENT_CONNECTING,
    CLIENT_OPEN,
};

struct client {
    struct source source;
    struct timer timer;
    uint64_t progress_ns;       /* when the connection last made progress; the timeout counts
                                   from here */
    uint64_t planned;           /* MODE_OPEN: the number of its next message, in the worker */
    struct buffer *partial;     /* the start of a reply whose end has not come */
    uint32_t in_flight;         /* messages without a reply, sent or partly sent */
    uint32_t oldest;            /* the oldest of these, in the ring of times */
    uint32_t owed;              /* messages that are due and wait for room */
    uint32_t unsent;            /* bytes of messages in flight that have not been sent */
    uint32_t out_at;            /* the next byte to send, in the cycle of messages */
    uint16_t expected;          /* the message, in the cycle, that the next reply answers */
    bool tried;                 /* has tried to connect, with any outcome */
    struct suspicion suspicion; /* about the last reply */
};

/* The kinds of sources in the loop and of timers in the wheel. */
enum crowd_kind { KIND_CLIENT, KIND_SUSPECT, KIND_WORKER };

struct crowd {
    const struct options *options;
    const struct message *message;
    const struct sockaddr_any *target;
    const struct sources *sources;
    struct worker_stats *stats;
    struct tls_client *tls; /* NULL: without TLS */
    struct loop loop;
    struct timer_wheel wheel; /* in ms of CLOCK_MONOTONIC */
    struct pacer pacer;       /* MODE_OPEN: when messages are due */
    struct client *clients;
    uint64_t *due;        /* options->pipeline for each client: when messages in flight were due */
    struct tls **streams; /* with TLS: of each client; NULL before the handshake */
    uint8_t *scratch;
    uint32_t n_clients;
    uint64_t turn_ns; /* when the turn began; its events happened earlier */
    uint64_t now_ns;  /* the clock when it was last read */
    uint64_t source;  /* the number of the next local address */
    uint64_t source_step;
    uint64_t timeout_ns;      /* from the options */
    uint64_t budget;          /* MODE_CLOSED: messages still to send */
    uint64_t in_flight;       /* of all clients */
    uint64_t owed;            /* of all clients */
    uint32_t n_suspects;      /* clients whose last reply is suspected */
    uint32_t connecting;      /* clients */
    uint32_t untried;         /* clients whose first attempt has no outcome yet */
    bool ending;              /* no new messages and no new connections */
    struct suspects suspects; /* --churn: connections that clients gave away */
};

/* Replies that may be refusals: they are not counted yet. */
static inline uint32_t crowd_suspects(const struct crowd *crowd)
{
    return crowd->n_suspects + crowd->suspects.count;
}

/* The caller sets n_clients and everything above. 0 or a negative errno. */
int crowd_init(struct crowd *crowd);

static inline uint64_t crowd_now(struct crowd *crowd)
{
    return crowd->now_ns = clock_ns(CLOCK_MONOTONIC);
}

/* Begins or ends the suspicion that the last reply was a refusal. Counts nothing. */
void crowd_suspect(struct crowd *crowd, struct client *c, enum suspect kind);

/* The connection goes on: a suspected reply is an ordinary one. */
void crowd_acquit(struct crowd *crowd, struct client *c);
