/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "ask-bench/crowd.h"
#include "ask-bench/replies.h"

/*
 * A client's messages in flight: sent, or partly sent, and without a reply. Each is measured from
 * the moment it was due to the moment its reply came.
 */

/* Puts n more messages in flight. flight_send() sends them. */
void flight_begin(struct crowd *crowd, struct client *c, uint32_t n);

/* Sends bytes that have not left yet. 0, also if the socket is full; or a negative errno. */
int flight_send(struct crowd *crowd, struct client *c);

/* Counts replies that have just been read. */
void flight_land(struct crowd *crowd, struct client *c, const struct replies *replies);

/* The connection has ended: no reply will come. */
void flight_abandon(struct crowd *crowd, struct client *c);
