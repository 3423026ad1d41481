/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "input-stand.h"
#include "runner.h"

START_TEST(reports_that_nothing_has_arrived)
{
    ck_assert_int_eq(input_take(&input, &exchange), -EAGAIN);
    ck_assert_int_eq(input_collect(&input, &exchange), -EAGAIN);
    ck_assert_int_eq(input_discard(&input, &exchange), -EAGAIN);
    ck_assert(!input_is_pending(&input));
    ck_assert(!input_is_unfinished(&input));
}
END_TEST

START_TEST(takes_whole_messages)
{
    ck_assert_int_eq(take("one\ntwo\n"), SESSION_HUNGRY);
    ck_assert_ptr_null(input.bytes);
    ck_assert_uint_eq(sink->staged, 2);
    ck_assert_uint_eq(sink->records[1].connection, 7);
    ck_assert_uint_eq(sink->records[1].seq, 2);
    /* Both wait in one slot. */
    ck_assert_uint_eq(output.last->waits, 2);
    ck_assert_ptr_eq(output.last->next, output.last);
    answer("one\ntwo\n");
    ck_assert_uint_eq(counter_get(&context->counters.messages), 2);
    ck_assert_uint_eq(counter_get(&context->counters.bytes_in), 8);
}
END_TEST

START_TEST(keeps_an_unfinished_message)
{
    uint64_t begin;

    pass(0);
    begin = context_ms(context);
    ck_assert_int_eq(take("one\nun"), SESSION_HUNGRY);
    ck_assert(input_is_unfinished(&input));
    ck_assert(!input_is_pending(&input));
    ck_assert_uint_eq(input.bytes->stamp, begin);
    answer("one\n");
    pass(100);
    ck_assert_int_eq(take("finish"), SESSION_HUNGRY);
    ck_assert_uint_eq(input.bytes->stamp, begin);
    ck_assert_uint_eq(input.bytes->scanned, strlen("unfinish"));
    pass(100);
    ck_assert_int_eq(take("ed\nnext"), SESSION_HUNGRY);
    ck_assert_uint_eq(input.bytes->stamp, begin + 200);
    ck_assert_uint_eq(buffer_size(input.bytes), 4);
    answer("unfinished\n");
    ck_assert_int_eq(take("\n"), SESSION_HUNGRY);
    ck_assert_ptr_null(input.bytes);
    ck_assert_uint_eq(context->budget.used, sizeof(struct slot) + output.last->capacity);
    answer("next\n");
    ck_assert_uint_eq(discarded(), 0);
}
END_TEST

START_TEST(excused_time_does_not_count)
{
    uint64_t begin;

    input_excuse(&input, context, 5);
    pass(0);
    begin = context_ms(context);
    (void)take("un");
    pass(100);
    input_excuse(&input, context, 40);
    ck_assert_uint_eq(input.bytes->stamp, begin + 40);
    input_excuse(&input, context, 1000);
    ck_assert_uint_eq(input.bytes->stamp, begin + 100);
}
END_TEST

/* First the replies that wait for their records, then the error. Nothing after it is kept. */
START_TEST(an_error_behind_its_messages)
{
    stand.settings->rules.max_message = 5;
    ck_assert_int_eq(take("one\ntwo\nmuch too long\nmore\n"), SESSION_FAILED);
    ck_assert_ptr_null(input.bytes);
    ck_assert_uint_eq(discarded(), strlen("much too long\nmore\n"));
    ck_assert_int_eq(mistake, FRAME_TOO_LONG);
    ck_assert_str_eq(stand_hear(peer), "");
    answer("one\ntwo\n");
}
END_TEST

START_TEST(an_error_in_what_was_kept)
{
    stand.settings->rules.max_message = 5;
    ck_assert_int_eq(take("muc"), SESSION_HUNGRY);
    ck_assert_int_eq(take("h too long\n"), SESSION_FAILED);
    ck_assert_ptr_null(input.bytes);
    ck_assert_uint_eq(discarded(), strlen("much too long\n"));
    ck_assert_int_eq(mistake, FRAME_TOO_LONG);
}
END_TEST

/* Its bytes are counted, but the refusal is the only event. */
START_TEST(another_protocol)
{
    static const char *const beginnings[] = { "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                              "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nhello\n",
                                              "\x16\3\1\2\1\1" };
    const char *beginning = beginnings[_i];

    stand.settings->rules.refuse_http = true;
    ck_assert_int_eq(take(beginning), SESSION_FOREIGN);
    ck_assert_uint_eq(discarded(), strlen(beginning));
    stand_say(peer, "more");
    ck_assert_int_eq(input_discard(&input, &exchange), 0);
    stand_say(peer, "and more");
    input_end(&input, &exchange);
    ck_assert_uint_eq(discarded(), strlen(beginning) + strlen("moreand more"));
    ck_assert_uint_eq(hooks.logged[EVENT_HTTP_REFUSED] + hooks.logged[EVENT_HEADER_REFUSED], 1);
    ck_assert_uint_eq(hooks.logged[EVENT_DISCARDED], 0);
}
END_TEST

START_TEST(the_end_of_the_stream_ends_a_message)
{
    stand_say(peer, "one\ntwo");
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 1);
    ck_assert_int_eq(take(""), SESSION_ENDED);
    ck_assert_uint_eq(sink->staged, 2);
    ck_assert_str_eq(sink->records[1].text, "two");
    ck_assert_ptr_null(input.bytes);
    ck_assert_int_ne(transport.flags & TRANSPORT_IN_ENDED, 0);
    answer("one\ntwo\n");
}
END_TEST

/* A message cut off in the middle is not a message. */
START_TEST(a_cut_stream_ends_no_message)
{
    ck_assert_int_eq(take("one\ntwo"), SESSION_HUNGRY);
    transport.flags |= TRANSPORT_IN_CUT;
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 1);
    ck_assert(input_is_unfinished(&input));
    input_end(&input, &exchange);
    ck_assert_uint_eq(discarded(), 3);
}
END_TEST

/* The reply to a message does not depend on the record of a large one that came with it. */
START_TEST(a_large_message_has_its_own_slot)
{
    static char both[6000];

    memset(both, 'x', sizeof both - 1);
    memcpy(both, "one\n", 4);
    both[sizeof both - 2] = '\n';
    sink->failing = 2;
    ck_assert_int_eq(take(both), SESSION_STOPPED);
    ck_assert_uint_eq(sink->staged, 1);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 2);
    recorder_commit(exchange.recorder);
    ck_assert_int_lt(output_flush(&output, context, &transport), 0);
    ck_assert_str_eq(stand_hear(peer), "one\n");
}
END_TEST

START_TEST(one_read_is_one_chunk)
{
    stand.settings->rules.framing = FRAMING_CHUNK;
    stand.settings->rules.max_message = 8;
    ck_assert_int_eq(settings_prepare(stand.settings), 0);
    ck_assert_int_eq(take("one\ntwo"), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 1);
    ck_assert_str_eq(sink->records[0].text, "one\ntwo");
    answer("one\ntwo");
    ck_assert_int_eq(take("12345678"), SESSION_HUNGRY);
    answer("12345678");
    /* One extra byte shows that it is too long. No more than that is read. */
    ck_assert_int_eq(take("123456789abc"), SESSION_FAILED);
    ck_assert_uint_eq(discarded(), 9);
    ck_assert_int_eq(mistake, FRAME_TOO_LONG);
}
END_TEST

START_TEST(collected_for_later)
{
    collect("one\ntw");
    ck_assert(input_is_pending(&input));
    ck_assert_uint_eq(sink->staged, 0);
    collect("o\nthr");
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 2);
    ck_assert(input_is_unfinished(&input));
    /* The rest of the unfinished message. */
    collect("ee\n");
    ck_assert(input_is_pending(&input));
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    answer("one\ntwo\nthree\n");
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    ck_assert_int_eq(input_collect(&input, &exchange), 0);
    ck_assert(!input_is_pending(&input));
    ck_assert_int_ne(transport.flags & TRANSPORT_IN_ENDED, 0);
}
END_TEST

START_TEST(discarded_input_is_counted)
{
    (void)take("unfi");
    stand_say(peer, "nished\n");
    input_drop(&input, &exchange, "a test wants it so");
    ck_assert_uint_eq(discarded(), strlen("unfi"));
    ck_assert_int_eq(input_discard(&input, &exchange), 0);
    ck_assert_uint_eq(discarded(), strlen("unfinished\n"));
    ck_assert_ptr_null(input.bytes);
    ck_assert_uint_eq(sink->staged, 0);
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    ck_assert_int_eq(input_discard(&input, &exchange), 0);
    ck_assert_int_ne(transport.flags & TRANSPORT_IN_ENDED, 0);
}
END_TEST

/* The same messages, cut at every position. */
START_TEST(cut_anywhere)
{
    static const char stream[] = "one\ntwo\r\n\nfour\n";
    char heard[64];

    for (size_t cut = 1; cut < sizeof stream - 1; cut++) {
        char head[32] = "";

        memcpy(head, stream, cut);
        (void)take(head);
        (void)take(stream + cut);
        recorder_commit(exchange.recorder);
        ck_assert_int_eq(output_flush(&output, context, &transport), 0);
        (void)snprintf(heard, sizeof heard, "%s", stand_hear(peer));
        ck_assert_str_eq(heard, stream);
        ck_assert_ptr_null(input.bytes);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("input");
    TCase *cases = tcase_create("input");

    tcase_add_checked_fixture(cases, input_stand_begin, input_stand_end);
    tcase_add_test(cases, reports_that_nothing_has_arrived);
    tcase_add_test(cases, takes_whole_messages);
    tcase_add_test(cases, keeps_an_unfinished_message);
    tcase_add_test(cases, excused_time_does_not_count);
    tcase_add_test(cases, an_error_behind_its_messages);
    tcase_add_test(cases, an_error_in_what_was_kept);
    tcase_add_loop_test(cases, another_protocol, 0, 3);
    tcase_add_test(cases, the_end_of_the_stream_ends_a_message);
    tcase_add_test(cases, a_cut_stream_ends_no_message);
    tcase_add_test(cases, a_large_message_has_its_own_slot);
    tcase_add_test(cases, one_read_is_one_chunk);
    tcase_add_test(cases, collected_for_later);
    tcase_add_test(cases, discarded_input_is_counted);
    tcase_add_test(cases, cut_anywhere);
    suite_add_tcase(suite, cases);
    return suite;
}
