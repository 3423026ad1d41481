/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "input-stand.h"
#include "runner.h"

/* What holds input back: room, rate, pending replies, memory. */

START_TEST(takes_a_limited_number_of_records)
{
    ck_assert_int_eq(take(lines(150)), SESSION_STOPPED);
    ck_assert_uint_eq(sink->staged, 64);
    ck_assert(input_is_pending(&input));
    ck_assert(!input_is_unfinished(&input));
    ck_assert_int_eq(take(""), SESSION_STOPPED);
    ck_assert_uint_eq(sink->staged, 128);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 150);
    ck_assert(!input_is_pending(&input));
    answer(lines(150));
}
END_TEST

START_TEST(takes_a_limited_number_of_messages)
{
    exchange.recorder = NULL;
    ck_assert_int_eq(take(lines(1500)), SESSION_STOPPED);
    ck_assert_uint_eq(input.session.seq, 1024);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(input.session.seq, 1500);
    ck_assert(output_is_empty(&output));
    ck_assert_uint_eq(strlen(stand_hear(peer)), 3000);
}
END_TEST

/* The message that finds no room stays, without a reply. */
START_TEST(resumes_when_room_ran_out)
{
    sink->places = 2;
    ck_assert_int_eq(take("one\ntwo\nthree\nfour\n"), SESSION_STOPPED);
    ck_assert_uint_eq(sink->staged, 2);
    ck_assert(input_is_pending(&input));
    ck_assert_int_eq(take(""), SESSION_STOPPED);
    ck_assert_uint_eq(sink->staged, 2);
    answer("one\ntwo\n");
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    answer("three\nfour\n");
    ck_assert_uint_eq(sink->records[3].seq, 4);
}
END_TEST

START_TEST(stops_at_the_output_limit)
{
    stand.settings->output_limit = 10;
    ck_assert_int_eq(take("12345\n12345\n12345\n"), SESSION_STOPPED);
    ck_assert_uint_eq(output_size(&output), 12);
    ck_assert_int_eq(take(""), SESSION_STOPPED);
    ck_assert_uint_eq(output_size(&output), 12);
    answer("12345\n12345\n");
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    answer("12345\n");
}
END_TEST

START_TEST(resumes_when_the_rate_allows)
{
    stand.settings->rules.message_cost_ns = 500 * 1000 * 1000;
    pass(0);
    ck_assert_int_eq(take("1\n2\n3\n"), SESSION_LIMITED);
    ck_assert(input_is_pending(&input));
    answer("1\n2\n");
    pass(500);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    answer("3\n");
}
END_TEST

/* No more input is kept of a peer than replies. */
START_TEST(reads_no_more_than_the_output_limit)
{
    static char much[10000];

    memset(much, 'x', sizeof much - 1);
    stand.settings->output_limit = 10;
    ck_assert_int_eq(settings_prepare(stand.settings), 0);
    ck_assert_int_eq(take(much), SESSION_HUNGRY);
    ck_assert_uint_eq(buffer_size(input.bytes), 4096);
}
END_TEST

/* A limit that holds it back still does. */
START_TEST(collected_above_the_rate)
{
    stand.settings->rules.message_cost_ns = UINT64_C(1000) * 1000 * 1000;
    pass(0);
    ck_assert_int_eq(take("1\n2\n"), SESSION_LIMITED);
    collect("3\n");
    ck_assert_int_eq(input.session.status, SESSION_LIMITED);
    pass(1000);
    ck_assert_int_eq(take(""), SESSION_LIMITED);
    pass(1000);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 3);
}
END_TEST

/* A worker's scratch space shrinks again after a large reply. */
START_TEST(a_large_reply_does_not_keep_its_memory)
{
    static char piece[100001];

    exchange.recorder = _i == 0 ? exchange.recorder : NULL;
    stand.settings->rules.max_message = 1 << 20;
    memset(piece, 'x', sizeof piece - 1);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(take(piece), SESSION_HUNGRY);
    ck_assert_int_eq(take("\n"), SESSION_HUNGRY);
    ck_assert_uint_eq(counter_get(&context->counters.messages), 1);
    ck_assert(!context->reply || context->reply->capacity <= 512 * 1024);
}
END_TEST

START_TEST(no_memory_to_keep_input)
{
    atomic_store(&stand.shared.memory_limit, 2);
    stand_say(peer, "unfi");
    ck_assert_int_eq(input_take(&input, &exchange), -ENOMEM);
    ck_assert_ptr_null(input.bytes);
    stand_say(peer, "nished\n");
    ck_assert_int_eq(input_collect(&input, &exchange), 0);
    ck_assert_uint_eq(buffer_size(input.bytes), 1); /* half of the available memory */
    ck_assert_uint_eq(discarded(), 4 + 6);
    ck_assert_int_ne(transport.flags & TRANSPORT_IN_CUT, 0);
}
END_TEST

/* Recorded input is not counted as discarded. The rest is, once. */
START_TEST(no_memory_for_a_reply_to_what_was_kept)
{
    (void)take("one\ntw");
    answer("one\n");
    (void)take("o\nthr");
    atomic_store(&stand.shared.memory_limit, context->budget.used + 3);
    stand_say(peer, "ee\n");
    ck_assert_int_eq(input_take(&input, &exchange), -ENOMEM);
    ck_assert_uint_eq(sink->staged, 3);
    input_end(&input, &exchange);
    ck_assert_uint_eq(discarded(), 0);
    recorder_commit(exchange.recorder);
}
END_TEST

/* Its reply cannot be held. It is recorded anyway, without an answer. */
START_TEST(no_memory_for_the_reply)
{
    atomic_store(&stand.shared.memory_limit, 2);
    stand_say(peer, "one\n");
    ck_assert_int_eq(input_take(&input, &exchange), -ENOMEM);
    ck_assert_uint_eq(sink->staged, 1);
    recorder_commit(exchange.recorder);
    ck_assert(recorder_is_done(exchange.recorder));
    ck_assert(!transport.source.queued);
    ck_assert_str_eq(stand_hear(peer), "");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("input-limits");
    TCase *cases = tcase_create("input-limits");

    tcase_add_checked_fixture(cases, input_stand_begin, input_stand_end);
    tcase_add_test(cases, takes_a_limited_number_of_records);
    tcase_add_test(cases, takes_a_limited_number_of_messages);
    tcase_add_test(cases, resumes_when_room_ran_out);
    tcase_add_test(cases, stops_at_the_output_limit);
    tcase_add_test(cases, resumes_when_the_rate_allows);
    tcase_add_test(cases, reads_no_more_than_the_output_limit);
    tcase_add_test(cases, collected_above_the_rate);
    tcase_add_loop_test(cases, a_large_reply_does_not_keep_its_memory, 0, 2);
    tcase_add_test(cases, no_memory_to_keep_input);
    tcase_add_test(cases, no_memory_for_a_reply_to_what_was_kept);
    tcase_add_test(cases, no_memory_for_the_reply);
    suite_add_tcase(suite, cases);
    return suite;
}
