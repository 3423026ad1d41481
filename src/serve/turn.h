/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "serve/connection.h"

/*
 * A connection's turn: it acts on its news, and then one function decides what comes next. After it
 * the connection may be CLOSED.
 */

/* The loop has news, or the connection was on the ready list for another reason. */
void turn_dispatch(struct context *x, struct connection *c);

/* The recorder has room for it. */
void turn_serve(struct context *x, struct connection *c);

/* Its timer has run out. */
void turn_expire(struct context *x, struct connection *c);
