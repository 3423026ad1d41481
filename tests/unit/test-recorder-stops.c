/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "base/macros.h"
#include "recorder-stand.h"
#include "runner.h"

/* A sink that is stuck, strained or away, and recovers. */

/* PAUSING, WATCHING, PAUSING, WATCHING, TAKING. */
START_TEST(standing_still_is_watched)
{
    struct slot *s;

    sink->takes = 0;
    s = stage(&owners[0], 4);
    recorder_commit(recorder);
    check_state(RECORDER_PAUSING, 100);
    ck_assert(!dispatch());
    pass(100);
    ck_assert_int_eq(recorder->state, RECORDER_WATCHING);
    ck_assert_uint_eq(recorder_sleeps_until(recorder), recorder->outage_us + 1000 * MS);
    ck_assert(!dispatch());
    sink_fake_make_room(sink, 1);
    ck_assert(dispatch());
    check_state(RECORDER_PAUSING, 100);
    ck_assert_uint_eq(s->waits, 3);
    /* Its descriptor is not in the loop now. */
    sink_fake_wake(sink);
    ck_assert(!dispatch());
    pass(100);
    ck_assert_int_eq(recorder->state, RECORDER_WATCHING);
    sink_fake_make_room(sink, SIZE_MAX);
    ck_assert(dispatch());
    check_state(RECORDER_TAKING, RECORDER_NEVER);
    ck_assert(slot_whole(s));
    slot_let_go(s);
}
END_TEST

/* Room that came before the watch began is not missed. */
START_TEST(no_edge_is_missed)
{
    sink->takes = 0;
    stage_for(NULL, 1);
    recorder_commit(recorder);
    pass(100);
    sink_fake_make_room(sink, 1);
    ck_assert(dispatch());
    check_state(RECORDER_TAKING, RECORDER_NEVER);

    sink->takes = 0;
    stage_for(NULL, 1);
    recorder_commit(recorder);
    sink_fake_wake(sink);
    pass(100); /* the submit consumes the wake-up, and finds nothing */
    sink_fake_make_room(sink, 1);
    ck_assert(dispatch());
    check_state(RECORDER_TAKING, RECORDER_NEVER);
}
END_TEST

START_TEST(what_cannot_be_watched_is_strained)
{
    hooks.add_error = ENOSPC;
    sink->takes = 0;
    stage_for(NULL, 1);
    recorder_commit(recorder);
    pass(100);
    check_state(RECORDER_STRAINED, 10 * MS);
    pass(10 * MS - 1);
    ck_assert_int_eq(recorder->state, RECORDER_STRAINED);
    pass(1);
    check_state(RECORDER_PAUSING, 100);
    sink->takes = 1;
    pass(100);
    check_state(RECORDER_TAKING, RECORDER_NEVER);
}
END_TEST

START_TEST(a_strained_sink_is_tried_again)
{
    struct slot *s = stage(&owners[0], 1);

    sink->refuses = SINK_STRAINED;
    recorder_commit(recorder);
    check_state(RECORDER_STRAINED, 10 * MS);
    pass(10 * MS);
    check_state(RECORDER_STRAINED, 10 * MS);
    sink->refuses = SINK_BUSY;
    pass(10 * MS);
    check_state(RECORDER_PAUSING, 100);
    sink->refuses = SINK_STRAINED;
    pass(100);
    check_state(RECORDER_STRAINED, 10 * MS);
    sink->refuses = SINK_AWAY;
    pass(10 * MS);
    check_state(RECORDER_AWAY, 100 * MS);
    sink->refuses = SINK_READY;
    pass(100 * MS);
    check_state(RECORDER_TAKING, RECORDER_NEVER);
    ck_assert(slot_whole(s));
    slot_let_go(s);
}
END_TEST

/* An outage is logged after a second, and so is its end. */
START_TEST(an_outage_is_logged_once)
{
    sink->takes = 0;
    stage_for(NULL, 1);
    recorder_commit(recorder);
    pass(100);
    pass(999 * MS);
    ck_assert_uint_eq(hooks.logged[EVENT_SINK_BLOCKED], 0);
    pass(1 * MS);
    ck_assert_uint_eq(hooks.logged[EVENT_SINK_BLOCKED], 1);
    check_state(RECORDER_WATCHING, RECORDER_NEVER);
    pass(10000 * MS);
    ck_assert_uint_eq(hooks.logged[EVENT_SINK_BLOCKED], 1);

    /* If the log is as full as the sink, the event is retried. */
    hooks.log_is_full = true;
    sink_fake_make_room(sink, 1);
    ck_assert(dispatch());
    check_state(RECORDER_TAKING, 100 * MS);
    pass(100 * MS);
    check_state(RECORDER_TAKING, 100 * MS);
    hooks.log_is_full = false;
    pass(100 * MS);
    ck_assert_uint_eq(hooks.logged[EVENT_SINK_BACK], 1);
    ck_assert_str_eq(hooks.last_logged, "the journal takes records again, after 11.0 s");
    check_state(RECORDER_TAKING, RECORDER_NEVER);
}
END_TEST

/* Slow is not stuck: a sink that takes one record now and then is not logged. */
START_TEST(a_slow_sink_is_not_reported)
{
    stage_for(NULL, 100);
    sink->takes = 1;
    recorder_commit(recorder);
    for (int i = 0; i < 99; i++) {
        pass(100);
        ck_assert_int_eq(recorder->state, RECORDER_WATCHING);
        pass(900 * MS);
        sink_fake_make_room(sink, 1);
        ck_assert(dispatch());
    }
    check_state(RECORDER_TAKING, RECORDER_NEVER);
    ck_assert_uint_eq(hooks.logged[EVENT_SINK_BLOCKED], 0);
}
END_TEST

/* Attempts after 100 ms, then at doubled intervals up to a second. Staged records stay. */
START_TEST(finds_a_sink_that_returns)
{
    static const uint64_t backoff_ms[] = { 100, 200, 400, 800, 1000, 1000 };
    struct slot *s = stage(&owners[0], 2);

    sink->refuses = SINK_AWAY;
    sink->open_error = ENOENT;
    recorder_commit(recorder);
    ck_assert_int_eq(sink->sink.fd, -1);
    for (size_t i = 0; i < ARRAY_SIZE(backoff_ms); i++) {
        check_state(RECORDER_AWAY, backoff_ms[i] * MS);
        recorder_commit(recorder);
        pass(backoff_ms[i] * MS);
        ck_assert_uint_eq(sink->opens, i + 2);
    }
    ck_assert_uint_eq(hooks.logged[EVENT_SINK_AWAY], 1);
    sink->open_error = 0;
    sink->refuses = SINK_READY;
    pass(1000 * MS);
    check_state(RECORDER_TAKING, RECORDER_NEVER);
    ck_assert_uint_eq(hooks.logged[EVENT_SINK_BACK], 1);
    ck_assert(slot_whole(s));
    slot_let_go(s);

    /* The next time it starts again at 100 ms. */
    sink->refuses = SINK_AWAY;
    stage_for(NULL, 1);
    recorder_commit(recorder);
    check_state(RECORDER_AWAY, 100 * MS);
    ck_assert_uint_eq(hooks.logged[EVENT_SINK_AWAY], 2);
}
END_TEST

/* A sink that is found but full is treated like any full one. */
START_TEST(finds_a_sink_that_returns_full)
{
    sink->refuses = SINK_AWAY;
    stage_for(NULL, 1);
    recorder_commit(recorder);
    sink->refuses = SINK_BUSY;
    pass(100 * MS);
    check_state(RECORDER_PAUSING, 100);
    pass(100);
    ck_assert_int_eq(recorder->state, RECORDER_WATCHING);
    /* It may also go away while it is watched. */
    sink->refuses = SINK_AWAY;
    sink_fake_wake(sink);
    ck_assert(dispatch());
    ck_assert_int_eq(recorder->state, RECORDER_AWAY);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("recorder-stops");
    TCase *cases = tcase_create("recorder-stops");

    tcase_add_checked_fixture(cases, recorder_stand_begin, recorder_stand_end);
    tcase_add_test(cases, standing_still_is_watched);
    tcase_add_test(cases, no_edge_is_missed);
    tcase_add_test(cases, what_cannot_be_watched_is_strained);
    tcase_add_test(cases, a_strained_sink_is_tried_again);
    tcase_add_test(cases, an_outage_is_logged_once);
    tcase_add_test(cases, a_slow_sink_is_not_reported);
    tcase_add_test(cases, finds_a_sink_that_returns);
    tcase_add_test(cases, finds_a_sink_that_returns_full);
    suite_add_tcase(suite, cases);
    return suite;
}
