/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "ask/refusal.h"
#include "base/escape.h"
#include "base/macros.h"

static const char prefix[] = "error: ";

void refusal_look(struct refusal *r, const struct answer *answer, uint64_t now_us)
{
    size_t size = answer->size, n = sizeof prefix - 1;

    *r = (struct refusal){ 0 };
    if (size < n || memcmp(answer->reply, prefix, n) != 0)
        return;
    /* In --framing=chunk the reply includes the newline of a server that sends lines. */
    while (size > n && (answer->reply[size - 1] == '\n' || answer->reply[size - 1] == '\r'))
        size--;
    r->suspected = true;
    r->answers = answer->asked;
    r->rtt_us = answer->rtt_us;
    r->until_us = now_us + REFUSAL_WAIT_US;
    r->reason[escape_text(answer->reply + n, size - n, r->reason, sizeof r->reason - 1)] = '\0';
}
