/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alone.h"
#include "base/macros.h"
#include "runner.h"
#include "serve/turn.h"

/* Connections that never get a reply: Reply=none. */

static void setup(void)
{
    alone_begin();
    stand.settings->rules.mute = true;
}

static void teardown(void)
{
    ck_assert_uint_eq(counter_get(&counters->bytes_out), 0);
    alone_end();
}

START_TEST(records_and_says_nothing)
{
    static const char *const streams[] = { "one\ntwo\n", "\0", "3:one,3:two,", "one" };

    for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
        bool length = i == FRAMING_LENGTH;
        size_t before = sink->staged;
        int a;

        stand.settings->rules.framing = (enum framing)i;
        a = stand_connect(&stand, 0);
        if (length)
            ck_assert_int_eq(send(a, "\0\0\0\1x\0\0\0\1y", 10, 0), 10);
        else
            stand_say(a, streams[i]);
        (void)stand_run(&stand);
        ck_assert_uint_eq(sink->staged, before + (i == FRAMING_CHUNK ? 1 : 2));
        ck_assert_str_eq(stand_hear(a), "");
        (void)shutdown(a, SHUT_WR);
        (void)stand_run(&stand);
        ck_assert_str_eq(stand_hear(a), "$");
        ck_assert_str_eq(stand_states(i + 1), "FC");
        (void)close(a);
    }
}
END_TEST

/* No reply waits for a record, so the peer may go, and WriteTimeout= does not apply. */
START_TEST(nothing_waits_for_the_record)
{
    int a;

    stand.settings->write_ms = 1000;
    stand.settings->output_limit = 1;
    a = stand_connect(&stand, 0);
    sink->later = true;
    stand_say(a, "one\ntwo\n");
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->staged, 2);
    ck_assert(output_is_empty(&stand_last(&stand, 0)->output));
    stand_pass(&stand, 10000);
    stand_say(a, "three\n");
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->staged, 3);
    (void)close(a);
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(1), "FC");
    for (int i = 0; i < 2; i++) { /* the last one is taken after the others are done */
        sink_fake_finish(sink, SIZE_MAX);
        (void)stand_run(&stand);
    }
    ck_assert_uint_eq(sink->done, 3);
}
END_TEST

START_TEST(a_record_that_cannot_be_made_is_an_event)
{
    int a = stand_connect(&stand, 0);

    sink->failing = 2;
    stand_say(a, "one\ntwo\nthree\n");
    (void)stand_run(&stand);
    ck_assert_uint_eq(hooks.logged[EVENT_RECORD_REFUSED], 1);
    ck_assert_uint_eq(sink->staged, 3);
    ck_assert_str_eq(stand_states(1), "");
    ck_assert_str_eq(stand_hear(a), "");
    (void)close(a);
}
END_TEST

/* The peer does not read, so it would not see an end. Its next send must fail. */
START_TEST(an_error_resets_it)
{
    int a;

    stand.settings->rules.max_message = 5;
    a = stand_connect_tcp(&stand, 0);
    stand_say(a, "one\ntoo long\n");
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->staged, 1);
    ck_assert_uint_eq(hooks.logged[EVENT_PROTOCOL_ERROR], 1);
    ck_assert_uint_eq(counter_get(&counters->discarded), strlen("too long\n"));
    ck_assert_str_eq(stand_states(1), "C");
    ck_assert_str_eq(stand_hear(a), "!");
    (void)close(a);
}
END_TEST

START_TEST(a_late_message_resets_it)
{
    int a;

    stand.settings->message_ms = 1000;
    a = stand_connect_tcp(&stand, 0);
    stand_say(a, "one\ntw");
    (void)stand_run(&stand);
    stand_pass(&stand, 1000);
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 1);
    ck_assert_str_eq(stand_states(1), "C");
    ck_assert_str_eq(stand_hear(a), "!");
    (void)close(a);
}
END_TEST

START_TEST(drained_at_the_end_of_a_message)
{
    int a = stand_connect_tcp(&stand, 0), b = stand_connect_tcp(&stand, 0);

    stand_say(a, "one\n");
    stand_say(b, "two\nthr");
    (void)stand_run(&stand);
    alone_drain();
    ck_assert_str_eq(stand_states(1), "C");
    ck_assert_str_eq(stand_states(2), "FL");
    stand_say(b, "ee\n");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(2), "FLC");
    ck_assert_uint_eq(sink->staged, 3);
    ck_assert_str_eq(sink->records[2].text, "three");
    ck_assert_str_eq(stand_hear(a), "$");
    ck_assert_str_eq(stand_hear(b), "$");
    (void)close(a);
    (void)close(b);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("connection-mute");
    TCase *cases = tcase_create("connection-mute");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, records_and_says_nothing);
    tcase_add_test(cases, nothing_waits_for_the_record);
    tcase_add_test(cases, a_record_that_cannot_be_made_is_an_event);
    tcase_add_test(cases, an_error_resets_it);
    tcase_add_test(cases, a_late_message_resets_it);
    tcase_add_test(cases, drained_at_the_end_of_a_message);
    suite_add_tcase(suite, cases);
    return suite;
}
