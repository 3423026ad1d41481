/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "serve/connection.h"

/*
 * A connection's part of its worker's turn: it handles its events, then one function decides what
 * comes next. After each of these functions the connection may be CLOSED.
 */

/* The loop has come to it on the ready list. If it is CLOSED, it is buried. */
void turn_dispatch(struct context *x, struct connection *c);

/* It waited, and now the recorder has room for it. */
void turn_admit(struct context *x, struct connection *c);

/* Its timer has expired. */
void turn_expire(struct context *x, struct connection *c);
