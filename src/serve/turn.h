/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "serve/connection.h"

/*
 * A connection's part of its worker's turn: it acts on its news, and then one function decides what
 * comes next. After each of these the connection may be CLOSED.
 */

/* The loop has come to it on the ready list. One that is CLOSED is buried. */
void turn_dispatch(struct context *x, struct connection *c);

/* It waited, and the recorder has room for it. */
void turn_admit(struct context *x, struct connection *c);

/* Its timer has run out. */
void turn_expire(struct context *x, struct connection *c);
