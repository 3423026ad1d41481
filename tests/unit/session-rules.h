/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "protocol/session.h"
#include "runner.h"

/* Rules for a session under test. */

static inline struct session_rules rules_new(enum framing framing, const char *reply, size_t max)
{
    struct template *t = NULL;
    const char *error;
    size_t offset;

    ck_assert_int_eq(template_compile(reply, &t, &error, &offset), 0);
    return (struct session_rules){ .framing = framing, .reply = t, .max_message = max };
}

static inline void rules_deinit(struct session_rules *rules)
{
    session_rules_release(rules);
    template_free((struct template *)rules->reply);
}
