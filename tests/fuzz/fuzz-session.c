/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Input: a byte for framing and reply, one for the longest message, one for the rate, two for the
 * pieces, and the stream. Whatever the pieces, limits, refused records and clock steps are, records
 * and replies must equal those of the stream fed at once.
 */

#include "target.h"
#include "unit/session-driver.h"

static void compare(const struct session_rules *rules, const uint8_t *stream, size_t n, bool eof,
                    const struct plan *plan, const struct outcome *whole)
{
    struct outcome cut;

    converse(rules, stream, n, eof, plan, &cut);
    CHECK(outcome_equal(&cut, whole));
    outcome_deinit(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const replies[] = { "ok", "", "{seq} {message}", "{id}|{peer}|{time}" };
    struct session_rules rules = { 0 };
    struct template *reply = NULL;
    struct outcome whole;
    const char *error;
    size_t offset;
    bool eof;

    if (size < 5)
        return 0;
    /* Not chunk, where the cuts make the messages. */
    rules.framing = (enum framing)(data[0] % 3);
    CHECK(template_compile(replies[data[0] >> 2 & 3], &reply, &error, &offset) == 0);
    rules.reply = reply;
    eof = data[0] & 0x80;
    rules.max_message = data[1];
    converse(&rules, data + 5, size - 5, eof, &(struct plan){ 0 }, &whole);

    compare(&rules, data + 5, size - 5, eof, &(struct plan){ .read_max = 1 }, &whole);
    CHECK(session_rules_prepare(&rules) == 0);
    rules.message_cost_ns = data[2] * UINT64_C(10000001);
    compare(&rules, data + 5, size - 5, eof,
            &(struct plan){ .read_max = data[3] + 1U, .random = data[4] }, &whole);

    outcome_deinit(&whole);
    session_rules_release(&rules);
    template_free(reply);
    return 0;
}
