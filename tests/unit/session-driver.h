/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/session.h"

/*
 * The owner of a session as a connection is one, without a socket: a stream of bytes reaches the
 * session in pieces, under limits, and what comes of it is gathered.
 *
 * What the session hands over is checked on the way: memory given to it ends exactly where its
 * bytes do (for AddressSanitizer), an unfinished frame never grows beyond frame_size_max(), and it
 * stops only where a limit tells it to. A breach aborts with a line on stderr.
 */

/* How the stream arrives. All zero: at once. */
struct plan {
    const size_t *cuts; /* offsets where one read ends and the next begins, ascending */
    size_t n_cuts;
    size_t read_max; /* instead of cuts: bytes of each read, or up to so many with `random` */
    uint64_t random; /* not 0: random limits, refused records, slow peers, steps of the clock */
};

struct outcome {
    struct buffer *records; /* all of each record, one after the other */
    struct buffer *replies;
    size_t n_records, n_unfinished;
    enum session_status status; /* the last */
    enum frame_error error;     /* for SESSION_FAILED */
};

/* Feeds stream[n], then the end of the stream if eof. */
void converse(const struct session_rules *rules, const uint8_t *stream, size_t n, bool eof,
              const struct plan *plan, struct outcome *ret);

bool outcome_equal(const struct outcome *a, const struct outcome *b);
void outcome_deinit(struct outcome *outcome);
