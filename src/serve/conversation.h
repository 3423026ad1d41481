/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "serve/connection.h"

/*
 * What a connection does with its input and output in one dispatch. After each of these functions
 * it may be CLOSED.
 */

/* Sends the replies that are ready. */
void conversation_flush(struct context *x, struct connection *c);

/* Reads, records and answers up to the connection's share of one dispatch. With input left over,
 * the connection is on the ready list, or waits for room, or for an edge. admitted: the recorder
 * has room for it, even if others wait. */
void conversation_continue(struct context *x, struct connection *c, bool admitted);

/* The peer is gone, and its messages cannot be taken now. Reads the input that has arrived anyway,
 * so that the descriptor and the place are free for others. */
void conversation_collect(struct context *x, struct connection *c);

/* Reads input and discards it. */
void conversation_discard(struct context *x, struct connection *c);
