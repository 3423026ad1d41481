/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alone.h"
#include "base/macros.h"
#include "runner.h"
#include "serve/turn.h"

/* How connections end: lingering and draining. */

#define LINGER_MS 2000
#define GRACE_MS  250

/* --- lingering ------------------------------------------------------------------------------ */

/* An error reply reaches a peer that is still sending. */
START_TEST(input_after_an_error_is_discarded)
{
    int a = stand_connect(&stand, 0);

    stand.settings->rules.framing = FRAMING_NETSTRING;
    stand_say(a, "wrong");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(1), "FL");
    for (int i = 0; i < 10; i++) {
        stand_say(a, "1:x,");
        stand_pass(&stand, 150);
    }
    ck_assert_str_eq(stand_states(1), "FL");
    ck_assert_uint_eq(sink->staged, 0);
    ck_assert_uint_eq(counter_get(&counters->discarded), 5 + 40);
    ck_assert_str_eq(stand_hear(a), "24:error: malformed message,$");
    (void)close(a);
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(1), "FLC");
}
END_TEST

/* Input that came with the error is discarded too: message boundaries are unknown. */
START_TEST(one_error_is_enough)
{
    static char much[10000];
    int a = stand_connect(&stand, 0);

    for (size_t i = 0; i < sizeof much - 1; i++)
        much[i] = i % 100 == 99 ? '\n' : 'x';
    stand.settings->rules.max_message = 50;
    stand.settings->output_limit = 1000; /* a read takes 4096 bytes */
    stand_say(a, much);
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(a), "error: message too long\n$");
    ck_assert_uint_eq(counter_get(&counters->protocol_errors), 1);
    ck_assert_uint_eq(counter_get(&counters->discarded), sizeof much - 1);
    (void)close(a);
}
END_TEST

START_TEST(lingering_after_an_error_is_bounded)
{
    int a = stand_connect(&stand, 0);

    stand.settings->rules.framing = FRAMING_NETSTRING;
    stand_say(a, "wrong");
    (void)stand_run(&stand);
    stand_pass(&stand, LINGER_MS - 1);
    ck_assert_str_eq(stand_states(1), "FL");
    stand_pass(&stand, 1);
    ck_assert_str_eq(stand_states(1), "FLC");
    (void)close(a);
}
END_TEST

/* After the idle timeout, messages that still arrive are recorded, but not answered. */
START_TEST(lingering_records_without_a_reply)
{
    int a;

    stand.settings->idle_ms = 1000;
    a = stand_connect(&stand, 0);
    stand_say(a, "one\n");
    (void)stand_run(&stand);
    stand_pass(&stand, 1000);
    ck_assert_str_eq(stand_states(1), "FL");
    ck_assert_str_eq(stand_hear(a), "one\n$");
    stand_say(a, "two\nthr");
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->taken, 2);
    ck_assert(output_is_empty(&stand_last(&stand, 0)->output));
    /* It does not end in the middle of a message. */
    for (int i = 0; i < 10; i++)
        stand_pass(&stand, GRACE_MS / 5);
    ck_assert_str_eq(stand_states(1), "FL");
    stand_say(a, "ee\n");
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->taken, 3);
    ck_assert_str_eq(stand_states(1), "FLC");
    (void)close(a);
}
END_TEST

/* A peer that never stops sending does not keep its connection forever. */
START_TEST(lingering_is_bounded)
{
    int a, i;

    stand.settings->idle_ms = 1000;
    a = stand_connect(&stand, 0);
    (void)stand_run(&stand);
    stand_pass(&stand, 1000);
    for (i = 0; i < 100 && strcmp(stand_states(1), "FLC") != 0; i++) {
        stand_say(a, i == 0 ? "x" : "x\nx");
        stand_pass(&stand, 50);
    }
    ck_assert_int_eq(i, LINGER_MS / 50);
    ck_assert_uint_eq(sink->taken, (size_t)i - 1);
    (void)close(a);
}
END_TEST

/* An unfinished message at the last deadline is logged. */
START_TEST(lingering_ends_in_the_middle_of_a_message)
{
    int a;

    stand.settings->idle_ms = 1000;
    a = stand_connect(&stand, 0);
    (void)stand_run(&stand);
    stand_pass(&stand, 1000);
    stand_say(a, "unfinished");
    for (int i = 0; i < 100 && strcmp(stand_states(1), "FLC") != 0; i++)
        stand_pass(&stand, 50);
    ck_assert_str_eq(stand_states(1), "FLC");
    ck_assert_uint_eq(counter_get(&counters->discarded), strlen("unfinished"));
    ck_assert_uint_eq(hooks.logged[EVENT_DISCARDED], 1);
    (void)close(a);
}
END_TEST

/* The peer had time to see our end, and sent nothing: the connection ends after the grace. */
START_TEST(lingering_ends_after_the_grace)
{
    int a;

    stand.settings->idle_ms = 1000;
    a = stand_connect(&stand, 0);
    stand_say(a, "one\n");
    (void)stand_run(&stand);
    stand_pass(&stand, 1000);
    ck_assert_str_eq(stand_hear(a), "one\n$");
    stand_pass(&stand, GRACE_MS - 1);
    ck_assert_str_eq(stand_states(1), "FL");
    stand_pass(&stand, 1);
    for (int i = 0; i < 2; i++) /* checked every 50 ms */
        stand_pass(&stand, 50);
    ck_assert_str_eq(stand_states(1), "FLC");
    (void)close(a);
}
END_TEST

/* Data that a UNIX peer has not read stays in the peer's own queue, and holds nothing up. */
START_TEST(lingering_does_not_wait_for_a_reader)
{
    int a;

    stand.settings->idle_ms = 1000;
    a = stand_connect(&stand, 0);
    stand_say(a, "one\n");
    (void)stand_run(&stand);
    stand_pass(&stand, 1000);
    ck_assert_str_eq(stand_states(1), "FL");
    stand_pass(&stand, CONNECTION_GRACE_MS);
    ck_assert_str_eq(stand_states(1), "FLC");
    ck_assert_str_eq(stand_hear(a), "one\n$");
    (void)close(a);
}
END_TEST

/* Messages above the rate are still recorded, as the rate allows. */
START_TEST(lingering_keeps_the_rate)
{
    int a;

    stand.settings->rules.message_cost_ns = 400 * 1000 * 1000;
    stand.settings->idle_ms = 5000;
    a = stand_connect(&stand, 0);
    (void)stand_run(&stand);
    stand_pass(&stand, 5000);
    ck_assert_str_eq(stand_states(1), "FL");
    stand_say(a, "1\n2\n3\n4\n");
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->taken, 2);
    for (int i = 0; i < 24; i++)
        stand_pass(&stand, 50);
    ck_assert_uint_eq(sink->taken, 4);
    ck_assert_uint_eq(counter_get(&counters->discarded), 0);
    (void)close(a);
}
END_TEST

/* --- draining ------------------------------------------------------------------------------- */

START_TEST(drain_closes_a_silent_peer_at_once)
{
    int a = stand_connect(&stand, 0);

    (void)stand_run(&stand);
    alone_drain();
    ck_assert_str_eq(stand_states(1), "C");
    ck_assert(worker_is_done(stand.workers[0]));
    ck_assert_str_eq(stand_hear(a), "$");
    (void)close(a);
}
END_TEST

/* Once its reply has been delivered. */
START_TEST(drain_closes_an_answered_peer_at_once)
{
    int a = stand_connect(&stand, 0);

    stand_say(a, "one\n");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(a), "one\n");
    alone_drain();
    ck_assert_str_eq(stand_states(1), "C");
    (void)close(a);
}
END_TEST

START_TEST(drain_loses_no_reply_in_flight)
{
    int a = stand_connect(&stand, 0);

    stand_say(a, "one\n");
    (void)stand_run(&stand);
    alone_drain();
    ck_assert_str_eq(stand_states(1), "C");
    ck_assert_str_eq(stand_hear(a), "one\n$");
    (void)close(a);
    ck_assert(worker_is_done(stand.workers[0]));
}
END_TEST

START_TEST(drain_answers_what_has_arrived)
{
    int a = stand_connect(&stand, 0);

    sink->later = true;
    (void)stand_run(&stand);
    stand_say(a, "one\ntwo\n");
    alone_drain();
    ck_assert_str_eq(stand_states(1), "");
    ck_assert_str_eq(stand_hear(a), "");
    ck_assert(!worker_is_done(stand.workers[0]));
    sink_fake_finish(sink, SIZE_MAX);
    stand_pass(&stand, 5);
    ck_assert_str_eq(stand_hear(a), "one\ntwo\n$");
    ck_assert_str_eq(stand_states(1), "FL");
    /* A message that crosses our end of the stream is recorded. */
    stand_say(a, "three\n");
    stand_pass(&stand, 5);
    ck_assert_uint_eq(sink->taken, 3);
    ck_assert_str_eq(stand_hear(a), "$");
    (void)close(a);
    stand_pass(&stand, 5);
    ck_assert_str_eq(stand_states(1), "FLC");
    ck_assert(!worker_is_done(stand.workers[0])); /* its record is in flight */
    sink_fake_finish(sink, SIZE_MAX);
    stand_pass(&stand, 5);
    ck_assert(worker_is_done(stand.workers[0]));
}
END_TEST

/* It arrived after the turn had asked the kernel. */
START_TEST(drain_answers_what_no_edge_has_reported)
{
    struct context *x = context;
    int a = stand_connect(&stand, 0);

    (void)stand_run(&stand);
    stand_say(a, "one\n");
    x->draining = true;
    connection_drain_all(x);
    ck_assert(loop_again(&x->loop));
    turn_dispatch(x, (struct connection *)loop_next(&x->loop));
    ck_assert_ptr_null(loop_next(&x->loop));
    ck_assert_str_eq(stand_states(1), "");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(a), "one\n$");
    (void)close(a);
}
END_TEST

/* The rest has not arrived. If it comes, it is recorded, but not answered. */
START_TEST(drain_gives_an_unfinished_message_its_time)
{
    int a = stand_connect(&stand, 0);

    stand_say(a, "unfi");
    (void)stand_run(&stand);
    alone_drain();
    ck_assert_str_eq(stand_states(1), "FL");
    stand_say(a, "nished\n");
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->taken, 1);
    ck_assert_str_eq(stand_hear(a), "$");
    for (int i = 0; i < 7; i++)
        stand_pass(&stand, 50);
    ck_assert_str_eq(stand_states(1), "FLC");
    (void)close(a);
}
END_TEST

START_TEST(drain_answers_a_new_connection)
{
    int a;

    alone_drain();
    a = stand_connect(&stand, 0);
    stand_say(a, "one\n");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(a), "one\n$");
    ck_assert_str_eq(stand_states(1), "FL");
    (void)close(a);
    a = stand_connect(&stand, 0);
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(a), "$");
    ck_assert_str_eq(stand_states(1), "FLC");
    ck_assert_str_eq(stand_states(2), "C");
    (void)close(a);
}
END_TEST

START_TEST(drain_answers_a_connection_that_waits_for_room)
{
    int a = stand_connect(&stand, 0);

    sink->places = 0;
    stand_say(a, "one\n");
    (void)stand_run(&stand);
    ck_assert(stand_last(&stand, 0)->transport.owner_flags & CONNECTION_WAITING);
    alone_drain();
    ck_assert_str_eq(stand_states(1), "");
    sink->places = BATCH_RECORDS;
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(a), "one\n$");
    (void)close(a);
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(1), "FLC");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("connection-ends");
    TCase *cases = tcase_create("connection-ends");

    tcase_add_checked_fixture(cases, alone_begin, alone_end);
    tcase_add_test(cases, input_after_an_error_is_discarded);
    tcase_add_test(cases, one_error_is_enough);
    tcase_add_test(cases, lingering_after_an_error_is_bounded);
    tcase_add_test(cases, lingering_records_without_a_reply);
    tcase_add_test(cases, lingering_is_bounded);
    tcase_add_test(cases, lingering_ends_in_the_middle_of_a_message);
    tcase_add_test(cases, lingering_ends_after_the_grace);
    tcase_add_test(cases, lingering_does_not_wait_for_a_reader);
    tcase_add_test(cases, lingering_keeps_the_rate);
    tcase_add_test(cases, drain_closes_a_silent_peer_at_once);
    tcase_add_test(cases, drain_closes_an_answered_peer_at_once);
    tcase_add_test(cases, drain_loses_no_reply_in_flight);
    tcase_add_test(cases, drain_answers_what_has_arrived);
    tcase_add_test(cases, drain_answers_what_no_edge_has_reported);
    tcase_add_test(cases, drain_gives_an_unfinished_message_its_time);
    tcase_add_test(cases, drain_answers_a_new_connection);
    tcase_add_test(cases, drain_answers_a_connection_that_waits_for_room);
    suite_add_tcase(suite, cases);
    return suite;
}
