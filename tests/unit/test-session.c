/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "random.h"
#include "runner.h"
#include "session-driver.h"
#include "session-rules.h"

/* Whole streams through a session: the way they are cut must not matter. test-session-feed.c has
 * single calls. */

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static const struct plan at_once = { 0 };

/* A stream, and the replies to it. */
struct example {
    enum framing framing;
    const char *reply;
    size_t max;
    const uint8_t *stream;
    size_t n;
    enum session_status status;
    size_t n_records;
    const uint8_t *replies;
    size_t n_replies;
};

static const struct example examples[] = {
    { FRAMING_LINE, "ok", 64, BYTES(""), SESSION_ENDED, 0, BYTES("") },
    { FRAMING_LINE, "ok", 64, BYTES("a\nb\nc"), SESSION_ENDED, 3, BYTES("ok\nok\nok\n") },
    { FRAMING_LINE, "ok", 64, BYTES("a\r\nb\n\r\n"), SESSION_ENDED, 3, BYTES("ok\r\nok\nok\r\n") },
    { FRAMING_LINE, "", 64, BYTES("a\n\n"), SESSION_ENDED, 2, BYTES("\n\n") },
    { FRAMING_LINE, "{seq}:{message}", 64, BYTES("x\n\0\xff\n"), SESSION_ENDED, 2,
      BYTES("1:x\n2:\0\xff\n") },
    { FRAMING_LINE, "{id} {peer} {listener} {time}", 64, BYTES("x\n"), SESSION_ENDED, 1,
      BYTES("0123456789abcdef-7-1 192.0.2.1:40000 default 2023-11-14T22:13:20.123Z\n") },
    { FRAMING_LINE, "ok", 5, BYTES("12345\n123456\nc\n"), SESSION_FAILED, 1,
      BYTES("ok\nerror: message too long\n") },
    { FRAMING_LINE, "ok", 5, BYTES("a\n12345\r\n12345\rx"), SESSION_FAILED, 2,
      BYTES("ok\nok\r\nerror: message too long\n") },
    { FRAMING_LENGTH, "{message}!", 5, BYTES("\0\0\0\1a\0\0\0\5bcdef\0\0\0\0"), SESSION_ENDED, 3,
      BYTES("\0\0\0\2a!\0\0\0\6bcdef!\0\0\0\1!") },
    { FRAMING_LENGTH, "ok", 5, BYTES("\0\0\0\0\0\0\0\6abcdef"), SESSION_FAILED, 1,
      BYTES("\0\0\0\2ok\0\0\0\x17"
            "error: message too long") },
    { FRAMING_LENGTH, "ok", 64, BYTES("\xff\xff\xff\xff"), SESSION_FAILED, 0,
      BYTES("\0\0\0\x17"
            "error: message too long") },
    { FRAMING_LENGTH, "ok", 64, BYTES("\0\0\0\2a"), SESSION_FAILED, 0,
      BYTES("\0\0\0\x28"
            "error: the stream ended inside a message") },
    { FRAMING_NETSTRING, "{message}", 12, BYTES("0:,1:,,12:hello world!,"), SESSION_ENDED, 3,
      BYTES("0:,1:,,12:hello world!,") },
    { FRAMING_NETSTRING, "ok", 12, BYTES("1:a,01:b,"), SESSION_FAILED, 1,
      BYTES("2:ok,24:error: malformed message,") },
    { FRAMING_NETSTRING, "ok", 12, BYTES("1:a,2:bc;"), SESSION_FAILED, 1,
      BYTES("2:ok,24:error: malformed message,") },
    { FRAMING_NETSTRING, "ok", 12, BYTES("18446744073709551617:a,"), SESSION_FAILED, 0,
      BYTES("23:error: message too long,") },
    { FRAMING_NETSTRING, "ok", 12, BYTES("3:ab"), SESSION_FAILED, 0,
      BYTES("40:error: the stream ended inside a message,") },
};

static void check_plan(const struct session_rules *rules, const struct example *e, bool eof,
                       const struct plan *plan, const struct outcome *expected)
{
    struct outcome outcome;

    converse(rules, e->stream, e->n, eof, plan, &outcome);
    if (!outcome_equal(&outcome, expected))
        ck_abort_msg("other results with %zu cuts, the first at %zu, reads of %zu, random %zu",
                     plan->n_cuts, plan->n_cuts ? plan->cuts[0] : 0, plan->read_max,
                     (size_t)plan->random);
    outcome_deinit(&outcome);
}

/* In one piece; cut at each offset; at each two; a byte at a time; and all of that in a busy
 * server. */
static void check_all_plans(const struct session_rules *rules, const struct example *e, bool eof,
                            const struct outcome *expected)
{
    for (uint64_t random = 0; random < 3; random++)
        for (size_t i = 0; i <= e->n; i++)
            for (size_t j = i; j <= e->n; j++) {
                const size_t cuts[] = { i, j };

                check_plan(rules, e, eof, &(struct plan){ cuts, 2, 0, random * (i * e->n + j + 1) },
                           expected);
            }
    check_plan(rules, e, eof, &(struct plan){ .read_max = 1 }, expected);
    for (uint64_t random = 1; random < 100; random++)
        check_plan(rules, e, eof,
                   &(struct plan){ .read_max = 1 + random % 7, .random = random * 77 }, expected);
}

START_TEST(streams_cut_anywhere)
{
    const struct example *e = &examples[_i];
    struct session_rules rules = rules_new(e->framing, e->reply, e->max);
    struct outcome expected;

    converse(&rules, e->stream, e->n, true, &at_once, &expected);
    ck_assert_int_eq(expected.status, e->status);
    ck_assert_uint_eq(expected.n_records, e->n_records);
    ck_assert_uint_eq(buffer_size(expected.replies), e->n_replies);
    if (e->n_replies > 0)
        ck_assert_mem_eq(buffer_head(expected.replies), e->replies, e->n_replies);
    check_all_plans(&rules, e, true, &expected);
    /* A rate limit changes only the time it takes. */
    rules.message_cost_ns = 700000000;
    check_all_plans(&rules, e, true, &expected);
    rules.message_cost_ns = 0;
    /* A prepared reply makes no difference. */
    ck_assert_int_eq(session_rules_prepare(&rules), 0);
    ck_assert_int_eq(rules.ready != NULL, strchr(e->reply, '{') == NULL);
    check_all_plans(&rules, e, true, &expected);
    outcome_deinit(&expected);

    converse(&rules, e->stream, e->n, false, &at_once, &expected);
    check_all_plans(&rules, e, false, &expected);
    outcome_deinit(&expected);
    rules_deinit(&rules);
}
END_TEST

static uint8_t *random_stream(uint64_t *random, enum framing framing, size_t *ret_n)
{
    size_t n_messages = random_below(random, 40);
    struct buffer *out = NULL;
    uint8_t *stream;

    for (size_t i = 0; i < n_messages; i++) {
        uint8_t message[300];
        size_t size = random_magnitude(random, 8);

        for (size_t k = 0; k < size; k++)
            message[k] = random_below(random, 10) ? (uint8_t)random_next(random) : '\n';
        ck_assert_int_eq(frame_append(framing, &out, message, size, random_below(random, 2)), 0);
    }
    /* Half of them are broken somewhere. */
    *ret_n = buffer_size(out);
    stream = malloc(*ret_n + 1);
    ck_assert_ptr_nonnull(stream);
    if (*ret_n > 0) {
        memcpy(stream, buffer_head(out), *ret_n);
        if (random_below(random, 2))
            stream[random_below(random, *ret_n)] ^= (uint8_t)(1 << random_below(random, 8));
        if (random_below(random, 4) == 0)
            *ret_n = random_below(random, *ret_n);
    }
    buffer_free(&out);
    return stream;
}

START_TEST(random_streams_in_random_pieces)
{
    static const char *const replies[] = { "ok", "", "{seq} {id} {message}" };
    uint64_t random = (uint64_t)_i + 100;

    for (int round = 0; round < 100; round++) {
        enum framing framing = (enum framing)random_below(&random, 3);
        struct session_rules rules =
            rules_new(framing, replies[random_below(&random, 3)], random_below(&random, 300));
        struct example e = { 0 };
        struct outcome expected;

        e.stream = random_stream(&random, framing, &e.n);
        converse(&rules, e.stream, e.n, true, &at_once, &expected);
        rules.message_cost_ns = random_magnitude(&random, 31);
        for (uint64_t i = 0; i < 20; i++)
            check_plan(&rules, &e, true,
                       &(struct plan){ .read_max = (size_t)1 << i / 2, .random = i * random },
                       &expected);
        outcome_deinit(&expected);
        free((uint8_t *)e.stream);
        rules_deinit(&rules);
    }
}
END_TEST

/* A line cut short by the end of the stream is marked. An empty rest is not a message. */
START_TEST(the_last_line_may_be_unfinished)
{
    static const struct {
        const char *stream;
        size_t n_records, n_unfinished;
    } cases[] = {
        { "a\nb", 2, 1 }, { "a\nb\n", 2, 0 }, { "a\r\nb\r", 2, 1 }, { "a", 1, 1 }, { "\n", 1, 0 },
    };
    struct session_rules rules = rules_new(FRAMING_LINE, "ok", 64);

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct example e = { .stream = (const uint8_t *)cases[i].stream,
                                   .n = strlen(cases[i].stream) };
        struct outcome outcome;

        converse(&rules, e.stream, e.n, true, &at_once, &outcome);
        ck_assert_uint_eq(outcome.n_records, cases[i].n_records);
        ck_assert_uint_eq(outcome.n_unfinished, cases[i].n_unfinished);
        check_all_plans(&rules, &e, true, &outcome);
        outcome_deinit(&outcome);
    }
    rules_deinit(&rules);
    rules = rules_new(FRAMING_CHUNK, "ok", 64);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome outcome;

        converse(&rules, (const uint8_t *)cases[i].stream, strlen(cases[i].stream), true, &at_once,
                 &outcome);
        ck_assert_uint_eq(outcome.n_unfinished, 0);
        outcome_deinit(&outcome);
    }
    rules_deinit(&rules);
}
END_TEST

START_TEST(ten_thousand_messages_at_once)
{
    enum { N = 10000 };
    struct session_rules rules = rules_new(FRAMING_LINE, "{seq}", 64);
    struct outcome outcome;
    struct buffer *stream = NULL;

    for (int i = 0; i < N; i++)
        ck_assert_int_eq(buffer_append(&stream, "message\n", 8), 0);
    converse(&rules, buffer_head(stream), buffer_size(stream), true, &at_once, &outcome);
    ck_assert_int_eq(outcome.status, SESSION_ENDED);
    ck_assert_uint_eq(outcome.n_records, N);
    ck_assert_uint_eq(buffer_size(outcome.replies), 9 * 2 + 90 * 3 + 900 * 4 + 9000 * 5 + 6);
    outcome_deinit(&outcome);
    buffer_free(&stream);
    rules_deinit(&rules);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("session");
    TCase *cases = tcase_create("session");

    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, streams_cut_anywhere, 0, ARRAY_SIZE(examples));
    tcase_add_loop_test(cases, random_streams_in_random_pieces, 0, 5);
    tcase_add_test(cases, the_last_line_may_be_unfinished);
    tcase_add_test(cases, ten_thousand_messages_at_once);
    suite_add_tcase(suite, cases);
    return suite;
}
