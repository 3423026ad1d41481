/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "answerd/connection.h"

/*
 * From what a peer says to its answers: reads, feeds the session, stages records, sends replies.
 */

/* Whether the peer is read from. Reading stops while OutputLimit= bytes of replies wait, for the
 * peer to take them or for their records, and while it has used up its rate. */
bool connection_wants_input(struct worker *w, const struct connection *c);

/* Reads into `in`, as far as there is memory, all that is left of the stream of a peer that is gone.
 * Messages may wait there then: CONNECTION_PENDING. */
void connection_read_rest(struct worker *w, struct connection *c);

/* Reads and answers as much as the connection's share of a turn allows, while there is something.
 * What is left is on the ready list, or parked, or waits for an edge. The connection may be CLOSED
 * after it. */
void connection_converse(struct worker *w, struct connection *c);
