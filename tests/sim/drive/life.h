/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../clock.h"
#include "serve/connection.h"

/* What the parts of the book share: book.c, states.c. */

#define FD_MAX    16
#define COARSE_NS (8 * SIM_MS)

/* Counts of the current process's workers, as the book sees them. */
struct life {
    unsigned turned_away[4][FD_MAX]; /* by worker and listening descriptor, in this turn */
    uint64_t accepted, refused, bytes_in, unread, bytes_out, frames;
    uint64_t refusals[4], timeouts[4], shed[4];
    uint64_t stalled_at[4]; /* when that worker was last seen stalled in a turn, in ns */
    unsigned urgent;
    unsigned steps[4]; /* of handshakes in this turn, by worker */
};

extern struct life life;

/* Whether this worker's counter has grown. If so, this connection did it. */
bool life_grew(uint64_t *before, const counter *now);

/* Whether an allocation failed, or there was a MemoryLimit=. */
bool life_is_short_of_memory(void);

/* Our number of a connection, for book_find(). */
unsigned book_number(const struct connection *c);

/* Traces a worker's changes of state. */
void book_state(const struct connection *k, int from, int to);
