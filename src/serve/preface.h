/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/link.h"
#include "base/timer.h"
#include "net/loop.h"
#include "serve/connection.h"
#include "serve/context.h"
#include "serve/handshake.h"

/*
 * An accepted socket that is not a connection yet: something has to come before the first message.
 *
 *   PROXY header (proxy-stage.h) ──► TLS handshake (handshake.h) ──► connection
 *
 * A listener demands one of them, or both. Whatever goes wrong, the socket is closed.
 */
struct preface {
    struct source source; /* first, see worker.c */
    struct link link;     /* in context.prefaces */
    struct timer deadline;
    struct arrival arrival;
    bool has_header;      /* or needs none */
    struct buffer *bytes; /* an incomplete header; NULL: none. proxy-stage.c */
    struct handshake handshake;
};

/* Whether connections with these settings begin with a preface. */
static inline bool preface_is_needed(const struct settings *s)
{
    return s->proxy || s->tls;
}

/* Takes over all of an arrival, as connection_open() does, and opens the connection once everything
 * that comes before it is there. 0; or a negative errno, and the caller still owns the arrival. */
int preface_open(struct context *x, const struct arrival *arrival, bool registered);

/* The socket is ready. */
void preface_dispatch(struct context *x, struct preface *p);

/* What has to come first has not come in time. */
void preface_expire(struct context *x, struct preface *p);

/* Opens the connections whose headers and handshakes have arrived, and closes all others. */
void preface_drain_all(struct context *x);

/* Closes all. */
void preface_close_all(struct context *x);
