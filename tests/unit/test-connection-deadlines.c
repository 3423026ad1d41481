/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alone.h"
#include "base/macros.h"
#include "runner.h"

/* The worker would sleep until then and no longer. The wheel may wake it earlier, once or twice for
 * each of its levels. */
static void check_sleeps(uint64_t ms)
{
    (void)stand_run(&stand);
    ck_assert_uint_le(hooks.timeout_us, ms * 1000);
}

START_TEST(no_timer_without_a_deadline)
{
    int a = stand_connect(&stand, 0);

    (void)stand_run(&stand);
    ck_assert_uint_eq(hooks.timeout_us, UINT64_MAX);
    stand_say(a, "unfinished");
    (void)stand_run(&stand);
    ck_assert_uint_eq(hooks.timeout_us, UINT64_MAX);
    stand_pass(&stand, 1000000);
    ck_assert_str_eq(stand_states(1), "");
    (void)close(a);
}
END_TEST

START_TEST(idle_from_the_beginning)
{
    int a;

    stand.settings->idle_ms = 1000;
    a = stand_connect(&stand, 0);
    check_sleeps(1000);
    stand_pass(&stand, 999);
    ck_assert_str_eq(stand_states(1), "");
    check_sleeps(1);
    stand_pass(&stand, 1);
    ck_assert_str_eq(stand_states(1), "FL");
    ck_assert_str_eq(stand_hear(a), "$");
    ck_assert_uint_eq(counter_get(&counters->timeouts), 1);
    ck_assert_str_eq(hooks.last_logged, "cut off: sent no message for 1s");
    (void)close(a);
}
END_TEST

/* The turn's clock is then far behind. */
START_TEST(idle_from_the_beginning_though_the_process_stood_still)
{
    int a;

    stand.settings->idle_ms = 1000;
    hooks.accept_us = UINT64_C(100000000);
    a = stand_connect(&stand, 0);
    check_sleeps(1000);
    stand_pass(&stand, 999);
    ck_assert_str_eq(stand_states(1), "");
    stand_pass(&stand, 1);
    ck_assert_str_eq(stand_states(1), "FL");
    (void)close(a);
}
END_TEST

/* From the last message or, if the reply had to wait, from when it was taken. */
START_TEST(idle_from_the_last_reply)
{
    int a;

    stand.settings->idle_ms = 1000;
    a = stand_connect(&stand, 0);
    stand_pass(&stand, 900);
    stand_say(a, "one\n");
    (void)stand_run(&stand);
    stand_pass(&stand, 999);
    ck_assert_str_eq(stand_states(1), "");
    sink->later = true;
    stand_say(a, "two\n");
    stand_pass(&stand, 5);
    stand_pass(&stand, 5000);
    ck_assert_str_eq(stand_states(1), "");
    sink_fake_finish(sink, 1);
    stand_pass(&stand, 1);
    ck_assert_str_eq(stand_hear(a), "one\ntwo\n");
    stand_pass(&stand, 999);
    ck_assert_str_eq(stand_states(1), "");
    stand_pass(&stand, 1);
    ck_assert_str_eq(stand_states(1), "FL");
    (void)close(a);
}
END_TEST

/* Bytes are not a message. An unfinished message leaves the peer idle. */
START_TEST(idle_with_an_unfinished_message)
{
    int a;

    stand.settings->idle_ms = 1000;
    a = stand_connect(&stand, 0);
    for (int i = 0; i < 9; i++) {
        stand_say(a, "x");
        stand_pass(&stand, 100);
    }
    ck_assert_str_eq(stand_states(1), "");
    stand_say(a, "x");
    stand_pass(&stand, 100);
    ck_assert_str_eq(stand_states(1), "FL");
    (void)close(a);
}
END_TEST

START_TEST(a_slow_message_is_refused)
{
    int a;

    stand.settings->message_ms = 1000;
    a = stand_connect(&stand, 0);
    (void)stand_run(&stand);
    ck_assert_uint_eq(hooks.timeout_us, UINT64_MAX);
    stand_pass(&stand, 5000);
    for (int i = 0; i < 10; i++) {
        stand_say(a, "x");
        (void)stand_run(&stand);
        ck_assert_str_eq(stand_hear(a), "");
        stand_pass(&stand, 100);
    }
    ck_assert_str_eq(stand_hear(a), "error: message not complete in time\n$");
    ck_assert_str_eq(stand_states(1), "FL");
    ck_assert_uint_eq(counter_get(&counters->timeouts), 1);
    ck_assert_uint_eq(counter_get(&counters->discarded), 10);
    (void)close(a);
}
END_TEST

/* Each message has its full time. */
START_TEST(the_next_message_begins_anew)
{
    int a;

    stand.settings->message_ms = 1000;
    a = stand_connect(&stand, 0);
    for (int i = 0; i < 10; i++) {
        stand_say(a, i == 0 ? "x" : "\nx");
        (void)stand_run(&stand);
        stand_pass(&stand, 900);
    }
    ck_assert_str_eq(stand_hear(a), "x\nx\nx\nx\nx\nx\nx\nx\nx\n");
    stand_pass(&stand, 100);
    ck_assert_str_eq(stand_hear(a), "error: message not complete in time\n$");
    (void)close(a);
}
END_TEST

/* While replies are held nothing expires, and no error overtakes them. */
START_TEST(no_deadline_while_replies_are_held)
{
    int a;

    stand.settings->message_ms = 1000;
    stand.settings->write_ms = 1000;
    stand.settings->idle_ms = 1000;
    sink->later = true;
    a = stand_connect(&stand, 0);
    stand_say(a, "one\ntw");
    stand_pass(&stand, 5);
    stand_pass(&stand, 10000);
    ck_assert_str_eq(stand_hear(a), "");
    ck_assert_str_eq(stand_states(1), "");
    sink_fake_finish(sink, 1);
    (void)stand_run(&stand);
    stand_pass(&stand, 1);
    ck_assert_str_eq(stand_hear(a), "one\nerror: message not complete in time\n$");
    (void)close(a);
}
END_TEST

/* A client whose unread replies fill the buffers. Returns its end. */
static int fill(struct connection **ret)
{
    static char message[1002];
    int a = stand_connect(&stand, 0), size = 32768;

    memset(message, 'm', 1000);
    message[1000] = '\n';
    *ret = stand_last(&stand, 0);
    ck_assert_int_eq(
        setsockopt((*ret)->transport.source.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    for (int i = 0; i < 50; i++) { /* each a separate piece in the kernel */
        stand_say(a, message);
        (void)stand_run(&stand);
    }
    ck_assert(!output_is_empty(&(*ret)->output));
    return a;
}

START_TEST(cuts_off_a_peer_that_takes_no_reply)
{
    struct connection *c;
    int a;

    stand.settings->write_ms = 1000;
    a = fill(&c);
    check_sleeps(1000);
    stand_pass(&stand, 999);
    ck_assert_str_eq(stand_states(1), "");
    stand_pass(&stand, 1);
    ck_assert_str_eq(stand_states(1), "C");
    ck_assert_uint_eq(counter_get(&counters->timeouts), 1);
    ck_assert_str_eq(hooks.last_logged, "cut off: took no reply for 1s");
    (void)close(a);
}
END_TEST

/* A half-closed peer also gets the full time. */
START_TEST(cuts_off_a_finished_peer_that_takes_no_reply)
{
    struct connection *c;
    int a;

    stand.settings->write_ms = 1000;
    a = fill(&c);
    ck_assert_int_eq(shutdown(a, SHUT_WR), 0);
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(1), "F");
    stand_pass(&stand, 999);
    ck_assert_str_eq(stand_states(1), "F");
    stand_pass(&stand, 1);
    ck_assert_str_eq(stand_states(1), "FC");
    (void)close(a);
}
END_TEST

/* The kernel reports room only when there is much of it. Each piece that is taken counts. */
START_TEST(keeps_a_peer_that_takes_little_at_a_time)
{
    struct connection *c;
    char bytes[1001];
    int a;

    stand.settings->write_ms = 1000;
    a = fill(&c);
    for (int i = 0; i < 20; i++) {
        stand_pass(&stand, 900);
        ck_assert_str_eq(stand_states(1), "");
        ck_assert_int_gt(recv(a, bytes, sizeof bytes, 0), 0);
    }
    ck_assert_str_eq(stand_states(1), "");
    stand_pass(&stand, 1000);
    stand_pass(&stand, 1000);
    ck_assert_str_eq(stand_states(1), "C");
    (void)close(a);
}
END_TEST

/* While replies pile up we do not read, so the message is not late. Then it gets its full time
 * again. */
START_TEST(replies_pile_up_before_an_unfinished_message)
{
    static char text[20000 + sizeof "\nunfi"];
    struct connection *c;
    bool ends = _i;
    int a, size = 1;

    memset(text, 'm', 20000);
    strcpy(text + 20000, "\nunfi");
    stand.settings->message_ms = 1000;
    stand.settings->output_limit = 100;
    a = stand_connect(&stand, 0);
    c = stand_last(&stand, 0);
    ck_assert_int_eq(setsockopt(c->transport.source.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size),
                     0);
    stand_say(a, text);
    (void)stand_run(&stand);
    ck_assert(input_is_unfinished(&c->input));
    ck_assert_uint_ge(output_size(&c->output), 100);
    stand_say(a, ends ? "nished\n" : "nishe");
    stand_pass(&stand, 5000);
    ck_assert_str_eq(stand_states(1), "");
    while (!output_is_empty(&c->output)) {
        (void)stand_hear(a);
        (void)stand_run(&stand);
    }
    stand_pass(&stand, 999);
    ck_assert_str_eq(stand_states(1), "");
    stand_pass(&stand, 1);
    ck_assert_str_eq(stand_states(1), ends ? "" : "FL");
    ck_assert_uint_eq(sink->taken, 1U + ends);
    (void)close(a);
}
END_TEST

/* The rest of one second's share, then one at a time; the timer brings the next. */
START_TEST(the_rate_limit_delays_messages)
{
    int a;

    stand.settings->rules.message_cost_ns = 500 * 1000 * 1000;
    a = stand_connect(&stand, 0);
    stand_say(a, "1\n2\n3\n4\n5\n");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(a), "1\n2\n");
    check_sleeps(501);
    stand_pass(&stand, 501);
    ck_assert_str_eq(stand_hear(a), "3\n");
    stand_pass(&stand, 400);
    ck_assert_str_eq(stand_hear(a), "");
    stand_pass(&stand, 101);
    ck_assert_str_eq(stand_hear(a), "4\n");
    stand_pass(&stand, 501);
    ck_assert_str_eq(stand_hear(a), "5\n");
    ck_assert_uint_eq(sink->taken, 5);
    (void)close(a);
}
END_TEST

/* A rate-limited peer is not idle, and its messages are not late. */
START_TEST(no_deadline_runs_out_while_rate_limited)
{
    int a;

    stand.settings->rules.message_cost_ns = UINT64_C(5000) * 1000 * 1000;
    stand.settings->message_ms = 1000;
    stand.settings->idle_ms = 1000;
    a = stand_connect(&stand, 0);
    stand_say(a, "1\n2\n");
    (void)stand_run(&stand);
    for (int i = 0; i < 6; i++)
        stand_pass(&stand, 900);
    ck_assert_str_eq(stand_hear(a), "1\n2\n");
    ck_assert_str_eq(stand_states(1), "");
    (void)close(a);
}
END_TEST

/* The time waited for room is given back, but no more. */
START_TEST(waiting_for_room_does_not_count)
{
    int a;

    stand.settings->idle_ms = 1000;
    stand.settings->message_ms = 1000;
    a = stand_connect(&stand, 0);
    stand_say(a, "on");
    stand_pass(&stand, 600);
    sink->places = 0;
    stand_say(a, "e\nunfi");
    (void)stand_run(&stand);
    ck_assert(stand_last(&stand, 0)->transport.owner_flags & CONNECTION_WAITING);
    stand_pass(&stand, 5000);
    sink->places = BATCH_RECORDS;
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(a), "one\n");
    stand_pass(&stand, 999);
    ck_assert_str_eq(stand_states(1), "");
    stand_pass(&stand, 1);
    ck_assert_str_eq(stand_states(1), "FL");
    (void)close(a);
}
END_TEST

/* It does not count against a peer with replies to take either. */
START_TEST(waiting_for_room_with_replies_to_take)
{
    struct connection *c;
    int a;

    stand.settings->write_ms = 1000;
    a = fill(&c);
    sink->places = 0;
    stand_say(a, "x\n");
    (void)stand_run(&stand);
    ck_assert(c->transport.owner_flags & CONNECTION_WAITING);
    stand_pass(&stand, 5000);
    sink->places = BATCH_RECORDS;
    (void)stand_run(&stand);
    stand_pass(&stand, 999);
    ck_assert_str_eq(stand_states(1), "");
    stand_pass(&stand, 1);
    ck_assert_str_eq(stand_states(1), "C");
    (void)close(a);
}
END_TEST

/* Repeated waits with an unfinished message do not restart its time. */
START_TEST(waiting_repeatedly_does_not_count)
{
    int a;

    stand.settings->message_ms = 1000;
    a = stand_connect(&stand, 0);
    stand_say(a, "unfinished");
    (void)stand_run(&stand);
    for (int i = 0; i < 9; i++) {
        stand_pass(&stand, 100);
        sink->places = 0;
        stand_say(a, "x");
        (void)stand_run(&stand);
        ck_assert(stand_last(&stand, 0)->transport.owner_flags & CONNECTION_WAITING);
        stand_pass(&stand, 3000);
        sink->places = BATCH_RECORDS;
        (void)stand_run(&stand);
    }
    ck_assert_str_eq(stand_hear(a), "");
    stand_pass(&stand, 100);
    ck_assert_str_eq(stand_hear(a), "error: message not complete in time\n$");
    (void)close(a);
}
END_TEST

/* Input that arrived before a deadline is handled before the deadline expires, however long the
 * process stalled. */
START_TEST(input_in_time_counts_after_a_stall)
{
    int a;

    stand.settings->message_ms = 1000;
    stand.settings->idle_ms = 1000;
    a = stand_connect(&stand, 0);
    stand_say(a, "fi");
    (void)stand_run(&stand);
    stand_say(a, "nished\n");
    stand_pass(&stand, 60000);
    ck_assert_str_eq(stand_hear(a), "finished\n");
    ck_assert_str_eq(stand_states(1), "");
    (void)close(a);
}
END_TEST

/* Arming is lazy: no message re-arms the timer. A timer that expires early is checked. */
START_TEST(many_messages_cost_one_timer_run)
{
    uint64_t before;
    int a;

    stand.settings->idle_ms = 1000;
    a = stand_connect(&stand, 0);
    for (int i = 0; i < 99; i++) {
        stand_say(a, "x\n");
        stand_pass(&stand, 10);
    }
    before = stand_last(&stand, 0)->timer.expires;
    ck_assert_uint_le(before, context_ms(context) + 10);
    stand_pass(&stand, 10);
    ck_assert_uint_eq(stand_last(&stand, 0)->timer.expires, before + 990);
    (void)close(a);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("connection-deadlines");
    TCase *cases = tcase_create("connection-deadlines");

    tcase_add_checked_fixture(cases, alone_begin, alone_end);
    tcase_add_test(cases, no_timer_without_a_deadline);
    tcase_add_test(cases, idle_from_the_beginning);
    tcase_add_test(cases, idle_from_the_beginning_though_the_process_stood_still);
    tcase_add_test(cases, idle_from_the_last_reply);
    tcase_add_test(cases, idle_with_an_unfinished_message);
    tcase_add_test(cases, a_slow_message_is_refused);
    tcase_add_test(cases, the_next_message_begins_anew);
    tcase_add_test(cases, no_deadline_while_replies_are_held);
    tcase_add_test(cases, cuts_off_a_peer_that_takes_no_reply);
    tcase_add_test(cases, cuts_off_a_finished_peer_that_takes_no_reply);
    tcase_add_test(cases, keeps_a_peer_that_takes_little_at_a_time);
    tcase_add_loop_test(cases, replies_pile_up_before_an_unfinished_message, false, true + 1);
    tcase_add_test(cases, the_rate_limit_delays_messages);
    tcase_add_test(cases, no_deadline_runs_out_while_rate_limited);
    tcase_add_test(cases, waiting_for_room_does_not_count);
    tcase_add_test(cases, waiting_for_room_with_replies_to_take);
    tcase_add_test(cases, waiting_repeatedly_does_not_count);
    tcase_add_test(cases, input_in_time_counts_after_a_stall);
    tcase_add_test(cases, many_messages_cost_one_timer_run);
    suite_add_tcase(suite, cases);
    return suite;
}
