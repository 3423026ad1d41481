/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/link.h"
#include "net/loop.h"
#include "net/tls.h"
#include "serve/connection.h"
#include "serve/context.h"
#include "serve/stage.h"

/*
 * The TLS handshake of an arrival. A step of it costs as much CPU as some hundred messages, so a
 * worker takes only a few in a turn. Those that come too late go to the end of the ready list.
 *
 * MaxHandshakes= limits how many are under way, since each needs memory. So does MemoryLimit=: they
 * may have half as much in addition. But one of each worker may always go on. A client that has sent
 * nothing yet does not count. Clients beyond the limit wait, in order, until another one is done.
 * While some wait, whoever takes longer than a second loses its place. So clients that stop in the
 * middle cannot keep others out for the whole HandshakeTimeout=.
 */
#define HANDSHAKE_MEMORY ((size_t)64 * 1024) /* of OpenSSL, for one */

struct handshake {
    struct source *source;           /* the socket */
    const struct settings *settings; /* of the arrival */
    struct tls *tls;                 /* NULL: it has no place yet */
    struct link link;                /* in context.handshakes: in .waiters, or then in .under_way */
    uint64_t began_ms;               /* when it got its place */
    bool evicted;                    /* it has lost its place */
};

/* The socket is ready, or it is this one's turn. DONE: a->tls is the stream, and a->origin has the
 * client's verified name. */
enum stage handshake_continue(struct context *x, struct handshake *h, struct arrival *a);

/* Call at the end of a turn: whoever waits for a place gets its turn, if there is one. */
void handshakes_check(struct context *x);

/* The oldest handshakes may have to give way: TIMER_HANDSHAKE has expired. */
void handshakes_expire(struct context *x);

/* Gives up the place, or the wait for it. keep: the arrival has the stream now; otherwise it is freed. */
void handshake_leave(struct context *x, struct handshake *h, bool keep);
