/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "ask-bench/crowd.h"

/*
 * One connection: it sends messages, takes replies, and measures from the moment that a message was
 * due to the moment that its reply came.
 *
 * What a client may send follows from the mode. In the closed loop each reply lets the next message
 * go, until the crowd's budget is used up. Otherwise its worker says what is owed (client_owe), and
 * it goes as soon as the connection has room; with MODE_OPEN its latency counts from the time it
 * was planned for, however long it had to wait for that.
 */

/* Begins to connect a closed client. */
void client_connect(struct crowd *crowd, struct client *c);

/* One more message is to be sent. */
void client_owe(struct crowd *crowd, struct client *c);

/* Sends what may be sent now. crowd_now() must have been called just before: a message that leaves
 * is measured from there. */
void client_advance(struct crowd *crowd, struct client *c);

/* Whether a message owed would leave at once. */
bool client_has_room(const struct crowd *crowd, const struct client *c);

/* The loop has news for it. */
void client_event(struct crowd *crowd, struct client *c);

/* Its timer has expired. */
void client_timer(struct crowd *crowd, struct client *c);

/* Forgets what is owed and cannot be sent for want of a connection, as the run ends. */
void client_end(struct crowd *crowd, struct client *c);
