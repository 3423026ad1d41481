/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "runner.h"
#include "stand.h"

/* A recorder alone: its worker never takes a turn here. */

#define MS UINT64_C(1000) /* in µs */

static struct stand stand;
static struct recorder *recorder;
static struct sink_fake *sink;
static struct context *context;
static struct source owners[16];

static void setup(void)
{
    stand_begin(&stand, 1);
    recorder = &stand.workers[0]->journal;
    context = stand.contexts[0];
    sink = stand.sinks[0];
    memset(owners, 0, sizeof owners);
}

static void teardown(void)
{
    context->loop.turn = context->loop.head = NULL; /* the owners are not the worker's */
    context->loop.tail = &context->loop.head;
    stand_end(&stand);
}

static int stage_one(void)
{
    static uint64_t seq;

    return recorder_stage(recorder, &(struct record){ .data = (const uint8_t *)"x",
                                                      .size = 1,
                                                      .id = "id",
                                                      .peer = "peer",
                                                      .peer_port = "1",
                                                      .peer_name = "peer:1",
                                                      .listener = "default",
                                                      .seq = ++seq });
}

/* n records of that slot; NULL: that nobody waits for. */
static void stage_for(struct slot *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ck_assert_int_eq(stage_one(), 0);
    recorder_await(recorder, s, n);
}

static struct slot *stage(struct source *owner, unsigned n)
{
    struct slot *s = slot_new(owner, "x", 1, n);

    stage_for(s, n);
    return s;
}

/* So much time passes, and it looks again if it is time to. */
static void pass(uint64_t us)
{
    hooks.now_us += us;
    recorder_check(recorder);
}

/* The loop reports what it has, and the recorder is told; false where there is nothing. */
static bool dispatch(void)
{
    struct source *s;
    bool found = false;

    ck_assert_int_eq(loop_wait(&context->loop, 0), 0);
    while ((s = loop_next(&context->loop)))
        if (s->kind == SOURCE_RECORDER && s == &recorder->source) {
            recorder_dispatch(recorder);
            found = true;
        }
    return found;
}

static void check_state(enum recorder_state state, uint64_t sleeps_us)
{
    ck_assert_int_eq(recorder->state, state);
    ck_assert_uint_eq(atomic_load(&context->waiting), state != RECORDER_TAKING);
    if (sleeps_us == RECORDER_NEVER)
        ck_assert_uint_eq(recorder_sleeps_until(recorder), RECORDER_NEVER);
    else
        ck_assert_uint_eq(recorder_sleeps_until(recorder), hooks.now_us + sleeps_us);
}

START_TEST(closed_until_it_is_needed)
{
    struct recorder r;
    struct sink_fake *f = sink_fake_new();

    recorder_init(&r, context, &f->sink);
    ck_assert_int_eq(r.state, RECORDER_CLOSED);
    ck_assert_uint_eq(recorder_sleeps_until(&r), RECORDER_NEVER);
    recorder_check(&r);
    recorder_commit(&r);
    ck_assert_uint_eq(f->opens, 0);
    ck_assert_uint_eq(atomic_load(&context->waiting), 0);
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
    /* New ones do not make it look again. */
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
    ck_assert_uint_eq(hooks.logged[EVENT_JOURNAL_BLOCKED] + hooks.logged[EVENT_JOURNAL_BACK], 0);
}
END_TEST

/* A pause is as long as the queue is. */
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

/* Room that came before it was watched is not missed. */
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
    pass(100); /* the submit takes the wake-up, and finds nothing */
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

START_TEST(strained_comes_back)
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

/* A stop is told of after a second, and its end after that. */
START_TEST(a_stop_is_told_once)
{
    sink->takes = 0;
    stage_for(NULL, 1);
    recorder_commit(recorder);
    pass(100);
    pass(999 * MS);
    ck_assert_uint_eq(hooks.logged[EVENT_JOURNAL_BLOCKED], 0);
    pass(1 * MS);
    ck_assert_uint_eq(hooks.logged[EVENT_JOURNAL_BLOCKED], 1);
    check_state(RECORDER_WATCHING, RECORDER_NEVER);
    pass(10000 * MS);
    ck_assert_uint_eq(hooks.logged[EVENT_JOURNAL_BLOCKED], 1);

    /* A log that is as full as the sink is told again. */
    hooks.log_is_full = true;
    sink_fake_make_room(sink, 1);
    ck_assert(dispatch());
    check_state(RECORDER_TAKING, 100 * MS);
    pass(100 * MS);
    check_state(RECORDER_TAKING, 100 * MS);
    hooks.log_is_full = false;
    pass(100 * MS);
    ck_assert_uint_eq(hooks.logged[EVENT_JOURNAL_BACK], 1);
    ck_assert_str_eq(hooks.last_logged, "the fake takes records again, after 11.0 s");
    check_state(RECORDER_TAKING, RECORDER_NEVER);
}
END_TEST

/* Slow is not still: a sink that takes one record a while is not told of. */
START_TEST(slow_is_not_a_stop)
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
    ck_assert_uint_eq(hooks.logged[EVENT_JOURNAL_BLOCKED], 0);
}
END_TEST

/* Looked for after 100 ms, then at twice the time, up to a second. What is staged stays. */
START_TEST(away_and_back)
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
    ck_assert_uint_eq(hooks.logged[EVENT_JOURNAL_AWAY], 1);
    sink->open_error = 0;
    sink->refuses = SINK_READY;
    pass(1000 * MS);
    check_state(RECORDER_TAKING, RECORDER_NEVER);
    ck_assert_uint_eq(hooks.logged[EVENT_JOURNAL_BACK], 1);
    ck_assert(slot_whole(s));
    slot_let_go(s);

    /* The next time it begins anew. */
    sink->refuses = SINK_AWAY;
    stage_for(NULL, 1);
    recorder_commit(recorder);
    check_state(RECORDER_AWAY, 100 * MS);
    ck_assert_uint_eq(hooks.logged[EVENT_JOURNAL_AWAY], 2);
}
END_TEST

/* A sink that is found but full goes on as any full one. */
START_TEST(away_and_back_but_full)
{
    sink->refuses = SINK_AWAY;
    stage_for(NULL, 1);
    recorder_commit(recorder);
    sink->refuses = SINK_BUSY;
    pass(100 * MS);
    check_state(RECORDER_PAUSING, 100);
    pass(100);
    ck_assert_int_eq(recorder->state, RECORDER_WATCHING);
    /* And may go away while it is watched. */
    sink->refuses = SINK_AWAY;
    sink_fake_wake(sink);
    ck_assert(dispatch());
    ck_assert_int_eq(recorder->state, RECORDER_AWAY);
}
END_TEST

/* More than one submit is under way, and replies wait for their own records only. */
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

    /* What is done ends in the middle of a slot. */
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

/* Each of them in turn cannot be made. */
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
        ck_assert_uint_eq(hooks.logged[EVENT_RECORD_REFUSED], 0); /* the owner will tell */
    }
}
END_TEST

/* Records that nobody has at the end are told of. */
START_TEST(what_was_not_taken_is_told_of)
{
    stage_for(NULL, 3);
    ck_assert_uint_eq(hooks.logged[EVENT_DISCARDED], 0);
    recorder_deinit(recorder);
    ck_assert_uint_eq(hooks.logged[EVENT_DISCARDED], 1);
    ck_assert_ptr_nonnull(strstr(hooks.last_logged, "discarded 3 records"));
    recorder_init(recorder, context, &sink_fake_new()->sink);
}
END_TEST

START_TEST(no_room)
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

/* Nobody is left who waits for what will never be. */
START_TEST(its_end)
{
    struct recorder r;
    struct sink_fake *f = sink_fake_new();
    struct slot *s = slot_new(&owners[0], "x", 1, 2);

    f->takes = 0;
    recorder_init(&r, context, &f->sink);
    recorder_need(&r);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(recorder_stage(&r, &(struct record){ .data = (const uint8_t *)"x" }), 0);
    recorder_await(&r, s, 2);
    recorder_commit(&r);
    ck_assert_uint_eq(atomic_load(&context->waiting), 1);
    recorder_deinit(&r);
    ck_assert_uint_eq(atomic_load(&context->waiting), 0);
    ck_assert(slot_whole(s) && s->error < 0);
    slot_let_go(s);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("recorder");
    TCase *cases = tcase_create("recorder");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, closed_until_it_is_needed);
    tcase_add_test(cases, taking_all_at_once);
    tcase_add_test(cases, full_for_a_moment);
    tcase_add_test(cases, pauses_grow_with_the_places);
    tcase_add_test(cases, standing_still_is_watched);
    tcase_add_test(cases, no_edge_is_missed);
    tcase_add_test(cases, what_cannot_be_watched_is_strained);
    tcase_add_test(cases, strained_comes_back);
    tcase_add_test(cases, a_stop_is_told_once);
    tcase_add_test(cases, slow_is_not_a_stop);
    tcase_add_test(cases, away_and_back);
    tcase_add_test(cases, away_and_back_but_full);
    tcase_add_test(cases, a_sink_that_completes_later);
    tcase_add_test(cases, a_record_that_cannot_be_made);
    tcase_add_test(cases, what_was_not_taken_is_told_of);
    tcase_add_test(cases, no_room);
    tcase_add_test(cases, its_end);
    suite_add_tcase(suite, cases);
    return suite;
}
