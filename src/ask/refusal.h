/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask/answer.h"

/*
 * Whether the server has refused. A refusal is a reply `error: REASON`, and then the end of the
 * connection. A server may also begin an ordinary reply like this, so such a reply is only
 * suspected until the connection ends, or goes on: another reply comes, or nothing within
 * REFUSAL_WAIT_US.
 */

#define REFUSAL_WAIT_US UINT64_C(1000000)

struct refusal {
    bool suspected;
    bool answers;      /* a message: else the server spoke unasked */
    uint64_t rtt_us;   /* of that message */
    uint64_t until_us; /* when it is no refusal any more */
    char reason[256];  /* what stands behind `error: `, fit for a terminal */
};

/* Looks at a reply that came now, and suspects it where it begins like a refusal. */
void refusal_look(struct refusal *r, const struct answer *answer, uint64_t now_us);
