/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask/answer.h"

/*
 * Finds refusals. A refusal is a reply `error: REASON`, then the end of the connection. An ordinary
 * reply may begin the same way. So such a reply is only suspected until the connection ends or goes
 * on: another reply comes, or REFUSAL_WAIT_US pass.
 */

#define REFUSAL_WAIT_US UINT64_C(1000000)

struct refusal {
    bool suspected;
    bool answers;      /* the reply answers a message; false: the server spoke unasked */
    uint64_t rtt_us;   /* of that message */
    uint64_t until_us; /* after this it is not a refusal */
    char reason[256];  /* the text after `error: `, escaped for a terminal */
};

/* Looks at a new reply and suspects it if it begins like a refusal. */
void refusal_look(struct refusal *r, const struct answer *answer, uint64_t now_us);
