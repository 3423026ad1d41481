/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/link.h"
#include "base/timer.h"
#include "net/loop.h"
#include "serve/connection.h"
#include "serve/context.h"

/*
 * An accepted socket that is not a connection yet: its proxy has to send a header first.
 *
 * The bytes are looked at (MSG_PEEK) before they are taken. While the header is incomplete, all of
 * them belong to it. So not one byte behind it is taken, and the connection begins with the
 * client's first byte. Whatever goes wrong, the socket is closed without a reply.
 */
struct preface {
    struct source source; /* first, see worker.c */
    struct link link;     /* in context.prefaces */
    struct timer deadline;
    struct arrival arrival;
    struct buffer *bytes; /* an incomplete header; NULL: none */
};

/* Takes over all of an arrival, as connection_open() does, and opens the connection once the header
 * is there. 0; or a negative errno, and the caller still owns the arrival. */
int preface_open(struct context *x, const struct arrival *arrival, bool registered);

/* The socket is ready. */
void preface_dispatch(struct context *x, struct preface *p);

/* The header has not come in time. */
void preface_expire(struct context *x, struct preface *p);

/* Opens the connections whose headers have arrived, and closes all others. */
void preface_drain_all(struct context *x);

/* Closes all. */
void preface_close_all(struct context *x);
