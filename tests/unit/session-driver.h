/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/session.h"

/*
 * Drives a session as a connection does, without a socket. A stream of bytes reaches the session in
 * pieces, under limits, and the driver collects the results.
 *
 * It also checks the session. Memory passed to it ends exactly with its bytes (for
 * AddressSanitizer). An unfinished frame never grows beyond frame_size_max(). The session stops
 * only at a limit. A breach aborts with a line on stderr.
 */

/* How the stream arrives. All zero: in one piece. */
struct plan {
    const size_t *cuts; /* ascending offsets where one read ends and the next begins */
    size_t n_cuts;
    size_t read_max; /* instead of cuts: bytes per read, or the maximum if `random` is set */
    uint64_t random; /* not 0: random limits, refused records, slow peers, steps of the clock */
};

struct outcome {
    struct buffer *records; /* all fields of each record, one after the other */
    struct buffer *replies;
    size_t n_records, n_unfinished;
    enum session_status status; /* of the last feed */
    enum frame_error error;     /* for SESSION_FAILED and SESSION_FOREIGN; else 0 */
};

/* Feeds stream[n], then the end of the stream if eof. */
void converse(const struct session_rules *rules, const uint8_t *stream, size_t n, bool eof,
              const struct plan *plan, struct outcome *ret);

bool outcome_equal(const struct outcome *a, const struct outcome *b);
void outcome_deinit(struct outcome *outcome);
