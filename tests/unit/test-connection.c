/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alone.h"
#include "base/macros.h"
#include "runner.h"

/* Checks the texts of the taken records, in order, each followed by a space. */
static void check_records(const char *expected)
{
    char text[1024] = "";

    for (size_t i = 0; i < sink->taken; i++) {
        strcat(text, sink->records[i].text);
        strcat(text, " ");
    }
    ck_assert_str_eq(text, expected);
}

static void finish(size_t n)
{
    sink_fake_finish(sink, n);
    stand_pass(&stand, 5);
}

START_TEST(answers_at_once_without_a_recorder)
{
    int a;

    stand.settings->record = RECORD_NONE;
    a = stand_connect(&stand, 0);
    stand_say(a, "one\ntwo\r\nthr");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(a), "one\ntwo\r\n");
    stand_say(a, "ee\n");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(a), "three\n");
    ck_assert_uint_eq(sink->staged, 0);
    ck_assert_uint_eq(counter_get(&counters->messages), 3);
    ck_assert_uint_eq(counter_get(&counters->bytes_in), 15);
    ck_assert_uint_eq(counter_get(&counters->bytes_out), 15);
    (void)close(a);
}
END_TEST

/* Replies sent within the turn need no event. */
START_TEST(answers_once_recorded)
{
    int a = stand_connect(&stand, 0);

    (void)stand_run(&stand);
    stand_say(a, "one\ntwo\n");
    worker_turn(stand.workers[0]);
    ck_assert_str_eq(stand_hear(a), "one\ntwo\n");
    check_records("one two ");
    ck_assert_uint_eq(sink->records[1].seq, 2);
    ck_assert(output_is_empty(&stand_last(&stand, 0)->output));
    (void)close(a);
}
END_TEST

START_TEST(a_reply_only_after_its_record)
{
    int a = stand_connect(&stand, 0);

    sink->later = true;
    stand_say(a, "one\n");
    stand_pass(&stand, 5);
    check_records("one ");
    ck_assert_str_eq(stand_hear(a), "");
    stand_say(a, "two\nthree\n");
    stand_pass(&stand, 5);
    ck_assert_str_eq(stand_hear(a), "");
    finish(1);
    ck_assert_str_eq(stand_hear(a), "one\n");
    check_records("one two three ");
    finish(1); /* replies of one batch are sent together */
    ck_assert_str_eq(stand_hear(a), "");
    finish(1);
    ck_assert_str_eq(stand_hear(a), "two\nthree\n");
    (void)close(a);
}
END_TEST

/* Each client gets its own replies in order while several submits are in flight. */
START_TEST(replies_wait_for_one_sink_in_any_order)
{
    enum { N = 20, ROUNDS = 10 };
    char text[32], expected[N][256] = { "" };
    int fds[N];

    sink->later = true;
    for (int i = 0; i < N; i++)
        fds[i] = stand_connect(&stand, 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i++) {
            (void)snprintf(text, sizeof text, "%d.%d\n", i, round);
            stand_say(fds[i], text);
            strcat(expected[i], text);
        }
        stand_pass(&stand, 5);
        if (round % 3 == 2)
            finish((size_t)round * 3);
    }
    finish(SIZE_MAX);
    finish(SIZE_MAX);
    for (int i = 0; i < N; i++) {
        ck_assert_str_eq(stand_hear(fds[i]), expected[i]);
        (void)close(fds[i]);
    }
}
END_TEST

/* Even if it is not the last in the batch. */
START_TEST(an_error_goes_to_its_own_connection)
{
    int a = stand_connect(&stand, 0), b = stand_connect(&stand, 0), c = stand_connect(&stand, 0);

    stand.settings->rules.max_message = 10;
    sink->later = true;
    stand_say(a, "a\n");
    stand_say(b, "b\nthis is too long\nmore\n");
    stand_say(c, "c\n");
    stand_pass(&stand, 5);
    check_records("a b c ");
    ck_assert_str_eq(stand_hear(b), "");
    finish(1);
    ck_assert_str_eq(stand_hear(a), "a\n");
    ck_assert_str_eq(stand_hear(b), "");
    finish(1);
    ck_assert_str_eq(stand_hear(b), "b\nerror: message too long\n$");
    ck_assert_str_eq(stand_hear(c), "");
    finish(1);
    ck_assert_str_eq(stand_hear(c), "c\n");
    ck_assert_uint_eq(counter_get(&counters->protocol_errors), 1);
    ck_assert_uint_eq(counter_get(&counters->discarded), strlen("this is too long\nmore\n"));
    ck_assert_str_eq(stand_states(2), "FL");
    (void)close(a);
    (void)close(b);
    (void)close(c);
}
END_TEST

/* A deadline comes in the same turn as records of others. */
START_TEST(a_timeout_goes_to_its_own_connection)
{
    int a, b = stand_connect(&stand, 0);

    settings_unref(stand.settings);
    stand.settings = stand_settings("other");
    stand.settings->message_ms = 1000;
    a = stand_connect(&stand, 0);
    stand_say(a, "unfinished");
    (void)stand_run(&stand);
    sink->later = true;
    stand_say(b, "b\n");
    stand_pass(&stand, 1000);
    ck_assert_str_eq(stand_hear(a), "error: message not complete in time\n$");
    ck_assert_str_eq(stand_hear(b), "");
    finish(1);
    ck_assert_str_eq(stand_hear(b), "b\n");
    (void)close(a);
    (void)close(b);
    (void)stand_run(&stand);
}
END_TEST

START_TEST(a_record_that_cannot_be_made)
{
    int a = stand_connect(&stand, 0), b = stand_connect(&stand, 0);

    sink->later = true;
    for (int i = 0; i < 3; i++) {
        stand_say(a, "a\n");
        stand_say(b, "b\n");
        stand_pass(&stand, 5);
    }
    for (size_t i = 0; i < sink->taken; i++) /* a's second message */
        if (sink->records[i].connection == 1 && sink->records[i].seq == 2)
            sink->failing = i + 1;
    finish(SIZE_MAX);
    finish(SIZE_MAX);
    ck_assert_str_eq(stand_hear(a), "a\nerror: message cannot be recorded\n$");
    ck_assert_str_eq(stand_hear(b), "b\nb\nb\n");
    ck_assert_str_eq(stand_states(1), "FL");
    /* Later messages are not recorded, and that is logged. */
    stand_say(a, "late\n");
    stand_say(b, "b\n");
    stand_pass(&stand, 5);
    ck_assert_uint_eq(sink->staged, 7);
    ck_assert_uint_eq(counter_get(&counters->discarded), strlen("late\n"));
    ck_assert_uint_eq(hooks.logged[EVENT_DISCARDED], 1);
    (void)close(a);
    (void)close(b);
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(1), "FLC");
}
END_TEST

/* The record fails while its connection waits for room with more to say. */
START_TEST(a_record_fails_while_its_connection_waits)
{
    int a = stand_connect(&stand, 0);

    sink->places = 1;
    sink->later = true;
    stand_say(a, "a\n");
    stand_pass(&stand, 5);
    stand_say(a, "b\n");
    (void)stand_run(&stand);
    ck_assert(stand_last(&stand, 0)->transport.owner_flags & CONNECTION_WAITING);
    sink->failing = 1;
    finish(1);
    ck_assert_str_eq(stand_hear(a), "error: message cannot be recorded\n$");
    ck_assert(!(stand_last(&stand, 0)->transport.owner_flags & CONNECTION_WAITING));
    ck_assert_ptr_null(stand.workers[0]->journal.waiters.first);
    (void)close(a);
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->staged, 1);
}
END_TEST

START_TEST(half_closed_is_answered)
{
    int a = stand_connect(&stand, 0);

    sink->later = true;
    stand_say(a, "one\ntwo");
    ck_assert_int_eq(shutdown(a, SHUT_WR), 0);
    stand_pass(&stand, 5);
    check_records("one two ");
    ck_assert_str_eq(stand_states(1), "F");
    ck_assert_str_eq(stand_hear(a), "");
    finish(SIZE_MAX);
    ck_assert_str_eq(stand_hear(a), "one\ntwo\n$");
    ck_assert_str_eq(stand_states(1), "FC");
    ck_assert_uint_eq(atomic_load(&stand.shared.n_connections), 0);
    (void)close(a);
}
END_TEST

/* The peer goes while its replies are held. Its messages are recorded, and its slots are
 * released. */
START_TEST(a_peer_goes_while_replies_are_held)
{
    int a = stand_connect(&stand, 0), before = stand_descriptors();

    sink->later = true;
    stand_say(a, "one\ntwo\n");
    stand_pass(&stand, 5);
    stand_say(a, "three\nfour\nunfi");
    (void)close(a);
    stand_pass(&stand, 5);
    check_records("one two three four unfi "); /* a UNIX peer's data all arrived, so this is its
                                                  end */
    ck_assert_int_eq(stand_descriptors(), before - 2);
    ck_assert_uint_eq(context->n_live, 0);
    finish(SIZE_MAX);
    ck_assert(recorder_is_done(&stand.workers[0]->journal));
    ck_assert_uint_eq(counter_get(&counters->bytes_out), 0);
}
END_TEST

/* After a reset, messages before it are recorded, and a message cut off by it is counted. */
START_TEST(recorded_to_its_end_after_a_send_error)
{
    struct linger reset = { .l_onoff = 1 };
    int a = stand_connect_tcp(&stand, 0);

    (void)stand_run(&stand);
    stand_say(a, "one\ntwo\nthr");
    ck_assert_int_eq(setsockopt(a, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    (void)close(a);
    (void)stand_run(&stand);
    check_records("one two ");
    ck_assert_uint_eq(counter_get(&counters->discarded), 3);
    ck_assert_uint_eq(hooks.logged[EVENT_DISCARDED], 1);
    ck_assert_str_eq(stand_states(1), "FC");
}
END_TEST

/* A send reports that the peer reads no more, but the peer may still send. */
START_TEST(input_is_taken_although_nothing_can_be_sent)
{
    int a = stand_connect(&stand, 0);

    (void)stand_run(&stand);
    ck_assert_int_eq(shutdown(a, SHUT_RD), 0);
    stand_say(a, "one\n");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(1), "");
    ck_assert(output_is_empty(&stand_last(&stand, 0)->output));
    stand_say(a, "two\nthree\n");
    (void)stand_run(&stand);
    check_records("one two three ");
    (void)close(a);
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(1), "FC");
}
END_TEST

/* With EPOLLOUT registered, a reading peer would wake a UNIX stream twice per message. */
START_TEST(one_event_for_a_message)
{
    int a = stand_connect(&stand, 0);
    uint64_t before;

    (void)stand_run(&stand);
    before = hooks.events;
    for (int i = 0; i < 200; i++) {
        stand_say(a, "message\n");
        (void)stand_run(&stand);
        ck_assert_str_eq(stand_hear(a), "message\n");
        (void)stand_run(&stand);
    }
    ck_assert_uint_eq(hooks.events - before, 200);
    ck_assert_uint_eq(hooks.modified, 0);
    (void)close(a);
}
END_TEST

/* The limit bounds the memory of a peer that never reads. Reading resumes once the peer reads. */
START_TEST(reading_stops_at_the_output_limit)
{
    static char message[1002], all[60 * 1001 + 1];
    int a = stand_connect(&stand, 0), size = 4096;
    struct connection *c = stand_last(&stand, 0);
    char *heard = calloc(1, sizeof all + 100);

    memset(message, 'm', 1000);
    message[1000] = '\n';
    ck_assert_int_eq(setsockopt(c->transport.source.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size),
                     0);
    stand.settings->output_limit = stand.settings->read_size = 8000;
    for (int i = 0; i < 60; i++) {
        stand_say(a, message);
        strcat(all, message);
    }
    (void)stand_run(&stand);
    ck_assert_uint_ge(output_size(&c->output), 8000);
    ck_assert_uint_le(output_size(&c->output), 8000 + 1001);
    ck_assert_uint_gt(hooks.modified, 0); /* now it waits for room */
    while (strlen(heard) < strlen(all)) {
        const char *some = stand_hear(a);

        ck_assert_str_ne(some, "");
        strcat(heard, some);
        (void)stand_run(&stand);
        ck_assert_uint_le(output_size(&c->output), 8000 + 1001);
    }
    ck_assert_str_eq(heard, all);
    ck_assert(output_is_empty(&c->output));
    /* It no longer waits for room. */
    ck_assert(!(c->transport.flags & TRANSPORT_OUT_WAITS));
    free(heard);
    (void)close(a);
}
END_TEST

/* A flooder gets its share of a dispatch, then others follow. */
START_TEST(a_flooder_reads_one_share_per_dispatch)
{
    static char flood[4000 * 2 + 1];
    int a = stand_connect(&stand, 0), b = stand_connect(&stand, 0);

    for (int i = 0; i < 4000; i++)
        strcpy(flood + 2 * i, "a\n");
    stand_say(a, flood);
    stand_say(b, "b\n");
    worker_turn(stand.workers[0]);
    ck_assert_str_eq(stand_hear(b), "b\n");
    ck_assert_uint_lt(sink->staged, 400);
    (void)stand_run(&stand);
    ck_assert_uint_eq(strlen(stand_hear(a)), sizeof flood - 1);
    (void)close(a);
    (void)close(b);
}
END_TEST

/* Whichever allocation fails, the connection ends or continues, no reply is sent without its
 * record, and others do not notice. */
START_TEST(survives_every_failed_allocation)
{
    unsigned n;

    for (n = 1;; n++) {
        int a = stand_connect(&stand, 0), b = stand_connect(&stand, 0);
        size_t before = sink->taken;
        const char *heard;
        bool failed;

        sink->later = true;
        stand_say(b, "b\n");
        (void)stand_run(&stand);
        stand_say(a, "one\ntwo\nthr");
        hooks_fail_allocation(n);
        stand_pass(&stand, 5);
        failed = hooks_allocation_failed();
        stand_pass(&stand, 5);
        ck_assert_str_eq(stand_hear(b), "");
        finish(SIZE_MAX);
        finish(SIZE_MAX);
        ck_assert_str_eq(stand_hear(b), "b\n");
        heard = stand_hear(a);
        if (!failed)
            ck_assert_str_eq(heard, "one\ntwo\n");
        else if (strcmp(heard, "one\ntwo\n") == 0)
            ck_assert_uint_ge(sink->taken - before, 3);
        else
            ck_assert_msg(strcmp(heard, "!") == 0 || strcmp(heard, "$") == 0, "\"%s\"", heard);
        (void)close(a);
        (void)close(b);
        (void)stand_run(&stand);
        if (!failed)
            break;
    }
    ck_assert_uint_ge(n, 3);
    ck_assert_uint_gt(counter_get(&counters->shed), 0);
    ck_assert_uint_eq(counter_get(&counters->shed), hooks.logged[EVENT_MEMORY_LIMIT]);
}
END_TEST

/* Only the connection that asks for more than MemoryLimit= is ended. */
START_TEST(sheds_above_the_memory_limit)
{
    static char long_message[40001];
    int a = stand_connect(&stand, 0), b = stand_connect(&stand, 0);

    memset(long_message, 'x', sizeof long_message - 1);
    atomic_store(&stand.shared.memory_limit, 20000);
    (void)stand_run(&stand);
    stand_say(a, long_message);
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(a), "$");
    ck_assert_uint_eq(counter_get(&counters->shed), 1);
    stand_say(b, "b\n");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(b), "b\n");
    (void)close(a);
    (void)close(b);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("connection");
    TCase *cases = tcase_create("connection");

    tcase_add_checked_fixture(cases, alone_begin, alone_end);
    tcase_add_test(cases, answers_at_once_without_a_recorder);
    tcase_add_test(cases, answers_once_recorded);
    tcase_add_test(cases, a_reply_only_after_its_record);
    tcase_add_test(cases, replies_wait_for_one_sink_in_any_order);
    tcase_add_test(cases, an_error_goes_to_its_own_connection);
    tcase_add_test(cases, a_timeout_goes_to_its_own_connection);
    tcase_add_test(cases, a_record_that_cannot_be_made);
    tcase_add_test(cases, a_record_fails_while_its_connection_waits);
    tcase_add_test(cases, half_closed_is_answered);
    tcase_add_test(cases, a_peer_goes_while_replies_are_held);
    tcase_add_test(cases, recorded_to_its_end_after_a_send_error);
    tcase_add_test(cases, input_is_taken_although_nothing_can_be_sent);
    tcase_add_test(cases, one_event_for_a_message);
    tcase_add_test(cases, reading_stops_at_the_output_limit);
    tcase_add_test(cases, a_flooder_reads_one_share_per_dispatch);
    tcase_add_test(cases, survives_every_failed_allocation);
    tcase_add_test(cases, sheds_above_the_memory_limit);
    suite_add_tcase(suite, cases);
    return suite;
}
