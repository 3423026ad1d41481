/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "recorder-stand.h"
#include "runner.h"

START_TEST(closed_until_it_is_needed)
{
    struct recorder r;
    struct sink_fake *f = sink_fake_new();

    recorder_init(&r, context, RECORD_LOG, &f->sink);
    ck_assert_int_eq(r.state, RECORDER_CLOSED);
    ck_assert_uint_eq(recorder_sleeps_until(&r), RECORDER_NEVER);
    recorder_check(&r);
    recorder_commit(&r);
    ck_assert_uint_eq(f->opens, 0);
    ck_assert_uint_eq(atomic_load(&context->outages), 0);
    recorder_need(&r);
    ck_assert_int_eq(r.state, RECORDER_TAKING);
    recorder_need(&r);
    ck_assert_uint_eq(f->opens, 1);
    recorder_deinit(&r);
}
END_TEST

START_TEST(taking_all_at_once)
{
    struct slot *a, *b;

    check_state(RECORDER_TAKING, RECORDER_NEVER);
    a = stage(&owners[0], 2);
    b = stage(&owners[1], 1);
    ck_assert_uint_eq(recorder_sleeps_until(recorder), 0);
    ck_assert(!slot_whole(a) && !slot_whole(b));
    ck_assert(!recorder_is_done(recorder));
    recorder_commit(recorder);
    ck_assert(slot_whole(a) && slot_whole(b));
    ck_assert(owners[0].queued && owners[1].queued);
    ck_assert(recorder_is_done(recorder));
    check_state(RECORDER_TAKING, RECORDER_NEVER);
    recorder_commit(recorder);
    ck_assert_uint_eq(sink->submits, 2); /* one when it was opened */
    slot_let_go(a);
    slot_let_go(b);
}
END_TEST

/* TAKING, PAUSING, PAUSING, TAKING. */
START_TEST(full_for_a_moment)
{
    struct slot *s;

    sink->takes = 3;
    s = stage(&owners[0], 8);
    recorder_commit(recorder);
    check_state(RECORDER_PAUSING, 100);
    ck_assert_uint_eq(s->waits, 5);
    ck_assert_int_eq(recorder->source.fd, -1);
    /* New records do not make it try again. */
    stage_for(NULL, 1);
    recorder_commit(recorder);
    pass(99);
    ck_assert_uint_eq(s->waits, 5);
    sink->takes = 2;
    pass(1);
    check_state(RECORDER_PAUSING, 100);
    ck_assert_uint_eq(s->waits, 3);
    sink->takes = SIZE_MAX;
    pass(100);
    check_state(RECORDER_TAKING, RECORDER_NEVER);
    ck_assert(slot_whole(s));
    slot_let_go(s);
    ck_assert_uint_eq(hooks.logged[EVENT_SINK_BLOCKED] + hooks.logged[EVENT_SINK_BACK], 0);
}
END_TEST

/* A pause is proportional to the length of the queue. */
START_TEST(pauses_grow_with_the_places)
{
    stage_for(NULL, 400);
    sink->takes = 300;
    recorder_commit(recorder);
    check_state(RECORDER_PAUSING, 1200);
    sink->takes = 10;
    pass(1200);
    check_state(RECORDER_PAUSING, 1200);
}
END_TEST

/* More than one submit is in flight, and replies wait only for their own records. */
START_TEST(a_sink_that_completes_later)
{
    struct slot *a, *b, *c;

    sink->later = true;
    a = stage(&owners[0], 2);
    recorder_commit(recorder);
    check_state(RECORDER_PAUSING, 100);
    b = stage(&owners[1], 3);
    recorder_commit(recorder);
    ck_assert_uint_eq(sink->taken, 2);
    pass(100);
    ck_assert_int_eq(recorder->state, RECORDER_WATCHING);
    ck_assert_uint_eq(sink->taken, 5);
    c = stage(&owners[2], 1);
    ck_assert(!slot_whole(a));

    /* The completed records end in the middle of a slot. */
    sink_fake_finish(sink, 3);
    ck_assert(dispatch());
    check_state(RECORDER_PAUSING, 100);
    ck_assert_uint_eq(sink->taken, 6);
    ck_assert(slot_whole(a) && owners[0].queued);
    ck_assert_uint_eq(b->waits, 2);
    ck_assert(!owners[1].queued);
    sink_fake_finish(sink, SIZE_MAX);
    pass(100);
    check_state(RECORDER_TAKING, RECORDER_NEVER);
    ck_assert(slot_whole(b) && slot_whole(c));
    ck_assert(recorder_is_done(recorder));
    slot_let_go(a);
    slot_let_go(b);
    slot_let_go(c);
}
END_TEST

/* Each record in turn fails. */
START_TEST(a_record_that_cannot_be_made)
{
    for (uint64_t bad = 1; bad <= 6; bad++) {
        struct slot *s[3];

        sink->failing = sink->staged + bad;
        for (unsigned i = 0; i < 3; i++)
            s[i] = stage(&owners[i], 2);
        recorder_commit(recorder);
        check_state(RECORDER_TAKING, RECORDER_NEVER);
        ck_assert(recorder_is_done(recorder));
        for (unsigned i = 0; i < 3; i++) {
            ck_assert(slot_whole(s[i]));
            ck_assert_int_eq(s[i]->error < 0, (bad - 1) / 2 == i);
            slot_let_go(s[i]);
        }
        ck_assert_uint_eq(hooks.logged[EVENT_RECORD_REFUSED], 0); /* the owner will report it */
    }
}
END_TEST

/* Records that were never taken are logged at the end. */
START_TEST(records_not_taken_are_logged)
{
    stage_for(NULL, 3);
    ck_assert_uint_eq(hooks.logged[EVENT_DISCARDED], 0);
    recorder_deinit(recorder);
    ck_assert_uint_eq(hooks.logged[EVENT_DISCARDED], 1);
    ck_assert_ptr_nonnull(strstr(hooks.last_logged, "discarded 3 unanswered records"));
    recorder_init(recorder, context, RECORD_JOURNAL, &sink_fake_new()->sink);
}
END_TEST

START_TEST(admits_none_without_room)
{
    sink->places = 2;
    ck_assert(recorder_admits(recorder));
    stage_for(NULL, 2);
    ck_assert(!recorder_has_room(recorder));
    ck_assert(!recorder_admits(recorder));
    ck_assert_int_eq(stage_one(), -EAGAIN);
    ck_assert_ptr_null(recorder_next(recorder));
    recorder_commit(recorder);
    ck_assert(recorder_admits(recorder));
}
END_TEST

/* No slot is left waiting for a record that will never be made. */
START_TEST(deinit_completes_all_slots)
{
    struct recorder r;
    struct sink_fake *f = sink_fake_new();
    struct slot *s = slot_new(&owners[0], "x", 1, 2);

    f->takes = 0;
    recorder_init(&r, context, RECORD_LOG, &f->sink);
    recorder_need(&r);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(recorder_stage(&r, &(struct record){ .data = (const uint8_t *)"x" }), 0);
    recorder_await(&r, s, 2);
    recorder_commit(&r);
    ck_assert_uint_eq(atomic_load(&context->outages), 1U << RECORD_LOG);
    recorder_deinit(&r);
    ck_assert_uint_eq(atomic_load(&context->outages), 0);
    ck_assert(slot_whole(s) && s->error < 0);
    slot_let_go(s);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("recorder");
    TCase *cases = tcase_create("recorder");

    tcase_add_checked_fixture(cases, recorder_stand_begin, recorder_stand_end);
    tcase_add_test(cases, closed_until_it_is_needed);
    tcase_add_test(cases, taking_all_at_once);
    tcase_add_test(cases, full_for_a_moment);
    tcase_add_test(cases, pauses_grow_with_the_places);
    tcase_add_test(cases, a_sink_that_completes_later);
    tcase_add_test(cases, a_record_that_cannot_be_made);
    tcase_add_test(cases, records_not_taken_are_logged);
    tcase_add_test(cases, admits_none_without_room);
    tcase_add_test(cases, deinit_completes_all_slots);
    suite_add_tcase(suite, cases);
    return suite;
}
