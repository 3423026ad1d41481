/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "serve/connection.h"

/*
 * What a connection does with its input and output in its turn. After each of these it may be
 * CLOSED.
 */

/* Sends what may go by now. */
void conversation_flush(struct context *x, struct connection *c);

/* Reads, records and answers as much as the connection's share of a turn allows, while there is
 * something. What is left is on the ready list, or waits for room, or for an edge. admitted: there is
 * room for it, though others may wait. */
void conversation_continue(struct context *x, struct connection *c, bool admitted);

/* The peer is gone, and its messages cannot be taken now: reads what has arrived all the same, so
 * that its descriptor and its place are free for others. */
void conversation_collect(struct context *x, struct connection *c);

/* Reads, and throws away what comes. */
void conversation_discard(struct context *x, struct connection *c);
