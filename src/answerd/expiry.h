/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "answerd/config.h"

/*
 * Warns of certificates that expire soon: 30 days, 7 days and one day before, and when it has
 * happened, each once.
 */
#define EXPIRY_TEXT_MAX 64

struct expiry {
    uint64_t next_ms; /* CLOCK_MONOTONIC: when to look again; TIMER_NEVER: at the next reload */
    struct expiry_told *told; /* what was logged, for each [TLS NAME] section */
    size_t n_told;
    char text[EXPIRY_TEXT_MAX]; /* the first certificate that expires within 30 days, for the end of
                                   the status line; or empty */
};

/* Call with a new configuration, and when next_ms is reached. now: as time(2). */
void expiry_look(struct expiry *e, const struct config *c, time_t now, uint64_t now_ms);

void expiry_deinit(struct expiry *e);
