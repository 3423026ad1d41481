/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "ask-bench/crowd.h"

/*
 * One connection. It sends messages, takes replies and measures the time from when a message was
 * due to when its reply came.
 *
 * The mode decides what a client may send. In the closed loop each reply releases the next message,
 * until the crowd's budget is used up. In the other modes the worker makes messages due
 * (client_owe), and the client sends them once the connection has room. With MODE_OPEN the latency
 * counts from the planned time, including any wait for room.
 */

/* Begins to connect a closed client. */
void client_connect(struct crowd *crowd, struct client *c);

/* Makes one more message due. */
void client_owe(struct crowd *crowd, struct client *c);

/* Sends all messages that may go now. Call crowd_now() just before: a message is measured from that
 * time. */
void client_advance(struct crowd *crowd, struct client *c);

/* Whether a message that is due now would leave at once. */
bool client_has_room(const struct crowd *crowd, const struct client *c);

/* Handles an event of the connection. */
void client_event(struct crowd *crowd, struct client *c);

/* Handles the expiry of the timer. */
void client_timer(struct crowd *crowd, struct client *c);

/* At the end of a run: drops due messages that have no connection. */
void client_end(struct crowd *crowd, struct client *c);
