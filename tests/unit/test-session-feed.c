/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "runner.h"
#include "session-rules.h"

/* Single calls of session_feed(): refused records, limits, replies. */

/* A single feed without the driver. */
struct direct {
    struct session session;
    struct session_rules rules;
    struct session_feed feed;
    struct buffer *reply;
    size_t scanned, used;
    enum frame_error error;
    size_t offered;
    int answer; /* result of the record callback */
};

static int offer(void *userdata, _unused_ const struct record *record)
{
    struct direct *d = userdata;

    ck_assert_uint_gt(buffer_size(d->reply), 0);
    d->offered++;
    return d->answer;
}

static struct direct *direct_new(enum framing framing, const char *reply, size_t max)
{
    struct direct *d = calloc(1, sizeof *d);

    ck_assert_ptr_nonnull(d);
    d->rules = rules_new(framing, reply, max);
    d->feed = (struct session_feed){
        .rules = &d->rules,
        .now = { .mono_us = 5000000 },
        .run_id = "run",
        .peer = "p",
        .peer_port = "1",
        .peer_name = "p:1",
        .listener = "l",
        .reply = &d->reply,
        .reply_limit = SIZE_MAX,
        .message_limit = SIZE_MAX,
        .record = offer,
        .userdata = d,
    };
    return d;
}

static void direct_free(struct direct *d)
{
    buffer_free(&d->reply);
    rules_deinit(&d->rules);
    free(d);
}

static enum session_status direct_feed(struct direct *d, const char *in, bool eof)
{
    return session_feed(&d->session, &d->feed, (const uint8_t *)in, strlen(in), eof, &d->scanned,
                        &d->used, &d->error);
}

START_TEST(refused_records_leave_no_trace)
{
    struct direct *d = direct_new(FRAMING_LINE, "{seq}", 64);

    d->answer = -EAGAIN;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(direct_feed(d, "a\nb\n", false), SESSION_STOPPED);
        ck_assert_uint_eq(d->used, 0);
        ck_assert_uint_eq(buffer_size(d->reply), 0);
        ck_assert_uint_eq(d->session.seq, 0);
    }
    ck_assert_uint_eq(d->offered, 3);
    d->answer = 0;
    ck_assert_int_eq(direct_feed(d, "a\nb\n", false), SESSION_HUNGRY);
    ck_assert_uint_eq(d->used, 4);
    ck_assert_mem_eq(buffer_head(d->reply), "1\n2\n", 4);
    direct_free(d);
}
END_TEST

START_TEST(no_memory_for_a_record_takes_nothing)
{
    struct direct *d = direct_new(FRAMING_LINE, "ok", 64);

    d->answer = -ENOMEM;
    ck_assert_int_eq(direct_feed(d, "a\n", false), SESSION_NOMEM);
    ck_assert_uint_eq(d->used, 0);
    ck_assert_uint_eq(buffer_size(d->reply), 0);
    direct_free(d);
}
END_TEST

START_TEST(limits_stop_between_messages)
{
    struct direct *d = direct_new(FRAMING_LINE, "ok", 64);

    d->feed.message_limit = 2;
    ck_assert_int_eq(direct_feed(d, "a\nb\nc\n", false), SESSION_STOPPED);
    ck_assert_uint_eq(d->used, 4);
    ck_assert_int_eq(direct_feed(d, "c\n", false), SESSION_HUNGRY);
    d->feed.message_limit = 1;
    ck_assert_int_eq(direct_feed(d, "d\n", true), SESSION_ENDED);
    ck_assert_uint_eq(buffer_size(d->reply), 12);

    d->feed.reply_limit = 12;
    ck_assert_int_eq(direct_feed(d, "e\n", false), SESSION_STOPPED);
    ck_assert_uint_eq(d->used, 0);
    ck_assert_int_eq(direct_feed(d, "e", false), SESSION_HUNGRY);
    d->feed.reply_limit = 13;
    ck_assert_int_eq(direct_feed(d, "e\nf\n", false), SESSION_STOPPED);
    ck_assert_uint_eq(d->used, 2);
    direct_free(d);
}
END_TEST

START_TEST(without_a_record_the_reply_is_given)
{
    struct direct *d = direct_new(FRAMING_LINE, "{id}", 64);

    d->feed.record = NULL;
    d->session.number = 3;
    ck_assert_int_eq(direct_feed(d, "a\nb\n", true), SESSION_ENDED);
    ck_assert_uint_eq(d->offered, 0);
    ck_assert_mem_eq(buffer_head(d->reply), "run-3-1\nrun-3-2\n", 16);
    direct_free(d);
}
END_TEST

START_TEST(without_a_record_a_prepared_reply_is_given)
{
    struct direct *d = direct_new(FRAMING_LINE, "ok", 64);

    d->feed.record = NULL;
    ck_assert_int_eq(session_rules_prepare(&d->rules), 0);
    ck_assert_int_eq(direct_feed(d, "a\nb\r\nc", true), SESSION_ENDED);
    ck_assert_uint_eq(d->session.seq, 3);
    ck_assert_uint_eq(buffer_size(d->reply), 10);
    ck_assert_mem_eq(buffer_head(d->reply), "ok\nok\r\nok\n", 10);
    direct_free(d);
}
END_TEST

START_TEST(a_mute_session_says_nothing)
{
    struct direct *d = direct_new(FRAMING_LINE, "ok", 4);

    d->rules.mute = true;
    ck_assert_int_eq(session_rules_prepare(&d->rules), 0);
    d->feed.record = NULL;
    ck_assert_int_eq(direct_feed(d, "a\nb\n12345", false), SESSION_FAILED);
    ck_assert_uint_eq(d->session.seq, 2);
    ck_assert_int_eq(session_append_error(&d->rules, "no", &d->reply), 0);
    ck_assert_uint_eq(buffer_size(d->reply), 0);
    direct_free(d);
}
END_TEST

START_TEST(chunks_are_answered_one_by_one)
{
    struct direct *d = direct_new(FRAMING_CHUNK, "<{message}>", 8);

    ck_assert_int_eq(direct_feed(d, "he\nllo", false), SESSION_HUNGRY);
    ck_assert_int_eq(direct_feed(d, "", false), SESSION_HUNGRY);
    ck_assert_int_eq(direct_feed(d, "you", true), SESSION_ENDED);
    ck_assert_uint_eq(d->offered, 2);
    ck_assert_mem_eq(buffer_head(d->reply), "<he\nllo><you>", 13);
    buffer_clear(d->reply);
    ck_assert_int_eq(direct_feed(d, "123456789", false), SESSION_FAILED);
    ck_assert_int_eq(d->error, FRAME_TOO_LONG);
    ck_assert_uint_eq(buffer_size(d->reply), 0);
    direct_free(d);
}
END_TEST

START_TEST(rate_is_held_in_the_long_run)
{
    /* ns per message: first a burst of one second's share, then one message at a time. */
    static const uint64_t costs[] = { 1000,      1428,      1429,       10000,      1000000,
                                      100000000, 333333333, 1000000000, 2000000000, 60000000000 };
    struct direct *d = direct_new(FRAMING_LINE, "ok", 64);
    const uint64_t begin = d->feed.now.mono_us, cost = costs[_i];
    const uint64_t burst = MAX(UINT64_C(1), 1000000000 / cost),
                   wanted = MIN(3 * burst, burst + 1000);

    d->rules.message_cost_ns = cost;
    d->feed.message_limit = 1;
    for (uint64_t n = 0; n < wanted;) {
        uint64_t elapsed = d->feed.now.mono_us - begin,
                 earned = (MAX(cost, UINT64_C(1000000000)) + 1000 * elapsed) / cost;
        enum session_status status = direct_feed(d, "a\nb\n", false);

        buffer_clear(d->reply);
        if (status == SESSION_STOPPED) {
            n++;
            if (n > earned)
                ck_abort_msg("%zu messages in %zu us", (size_t)n, (size_t)elapsed);
            continue;
        }
        ck_assert_int_eq(status, SESSION_LIMITED);
        ck_assert_uint_eq(d->used, 0);
        ck_assert_uint_ge(n, earned);
        ck_assert_uint_gt(session_resume_us(&d->session, &d->rules), d->feed.now.mono_us);
        ck_assert_uint_le(session_resume_us(&d->session, &d->rules),
                          d->feed.now.mono_us + DIV_ROUND_UP(cost, UINT64_C(1000)));
        d->feed.now.mono_us = session_resume_us(&d->session, &d->rules);
    }
    direct_free(d);
}
END_TEST

START_TEST(errors_are_framed)
{
    static const struct {
        enum framing framing;
        const char *bytes;
        size_t n;
    } cases[] = {
        { FRAMING_LINE, "error: no\n", 10 },
        { FRAMING_LENGTH, "\0\0\0\terror: no", 13 },
        { FRAMING_NETSTRING, "9:error: no,", 12 },
        { FRAMING_CHUNK, "error: no", 9 },
    };
    char long_reason[1000];

    memset(long_reason, 'x', sizeof long_reason - 1);
    long_reason[sizeof long_reason - 1] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct session_rules rules = { .framing = cases[i].framing };
        _cleanup_(buffer_free) struct buffer *reply = NULL;

        ck_assert_int_eq(session_append_error(&rules, "no", &reply), 0);
        ck_assert_uint_eq(buffer_size(reply), cases[i].n);
        ck_assert_mem_eq(buffer_head(reply), cases[i].bytes, cases[i].n);
        ck_assert_int_eq(session_append_error(&rules, long_reason, &reply), 0);
        ck_assert_uint_le(buffer_size(reply), 200);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("session-feed");
    TCase *cases = tcase_create("session-feed");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, refused_records_leave_no_trace);
    tcase_add_test(cases, no_memory_for_a_record_takes_nothing);
    tcase_add_test(cases, limits_stop_between_messages);
    tcase_add_test(cases, without_a_record_the_reply_is_given);
    tcase_add_test(cases, without_a_record_a_prepared_reply_is_given);
    tcase_add_test(cases, a_mute_session_says_nothing);
    tcase_add_test(cases, chunks_are_answered_one_by_one);
    tcase_add_loop_test(cases, rate_is_held_in_the_long_run, 0, 10);
    tcase_add_test(cases, errors_are_framed);
    suite_add_tcase(suite, cases);
    return suite;
}
