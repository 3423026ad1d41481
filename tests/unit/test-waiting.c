/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alone.h"
#include "base/macros.h"
#include "random.h"
#include "runner.h"

/* Connections that wait for room: served in order, as many at once as there is room. */

static struct waiter *waiters_new(size_t n)
{
    struct waiter *w = calloc(n, sizeof *w);

    ck_assert_ptr_nonnull(w);
    return w;
}

/* Each served waiter stages one record. */
static void record(struct recorder *r)
{
    const struct record one = { .data = (const uint8_t *)"x", .size = 1 };

    if (recorder_stage(r, &one) < 0)
        ck_abort_msg("there is no room for one that was served");
    recorder_await(r, NULL, 1);
}

/* A hundred thousand waiters, of which some give up. */
START_TEST(first_come_first_served)
{
    enum { N = 100000 };
    struct recorder *r = &stand.workers[0]->journal;
    struct waiter *waiters = waiters_new(N), newcomer = { 0 };
    size_t next = 0;

    sink->places = 0;
    for (size_t i = 0; i < N; i++)
        recorder_wait(r, &waiters[i]);
    ck_assert_uint_eq(waiters[0].since_ms, context_ms(context));
    ck_assert_uint_eq(recorder_sleeps_until(r), RECORDER_NEVER);
    for (size_t i = 6; i < N; i += 7)
        recorder_leave(r, &waiters[i]);
    sink->places = BATCH_RECORDS;
    ck_assert_uint_eq(recorder_sleeps_until(r), 0);
    while (r->waiters.first) {
        unsigned n = 0;

        ck_assert(!recorder_admits(r));
        for (struct waiter *w; (w = recorder_next(r)); n++) {
            next += next % 7 == 6;
            if (w != &waiters[next++])
                ck_abort_msg("not the one that came first");
            record(r);
        }
        ck_assert(n == BATCH_RECORDS || !r->waiters.first);
        recorder_commit(r);
    }
    ck_assert_uint_ge(next, N - 1);
    ck_assert(recorder_admits(r));
    recorder_wait(r, &newcomer);
    ck_assert_ptr_eq(recorder_next(r), &newcomer);
    free(waiters);
}
END_TEST

/* A newcomer that finds room again still queues behind the waiters. */
START_TEST(a_newcomer_does_not_overtake)
{
    int fds[10], late;

    sink->places = 0;
    for (int i = 0; i < 10; i++) {
        char text[8];

        fds[i] = stand_connect(&stand, 0);
        (void)snprintf(text, sizeof text, "%d\n", i);
        stand_say(fds[i], text);
        worker_turn(stand.workers[0]);
    }
    late = stand_connect(&stand, 0);
    sink->places = 4;
    sink->later = true;
    stand_say(late, "late\n");
    worker_turn(stand.workers[0]);
    ck_assert_uint_eq(sink->staged, 4);
    for (int i = 0; i < 10 && sink->staged < 11; i++) {
        sink_fake_finish(sink, SIZE_MAX);
        stand_pass(&stand, 5);
    }
    ck_assert_uint_eq(sink->staged, 11);
    for (unsigned i = 0; i < 11; i++)
        ck_assert_uint_eq(sink->records[i].connection, i + 1);
    sink_fake_finish(sink, SIZE_MAX);
    stand_pass(&stand, 5);
    for (int i = 0; i < 10; i++) {
        ck_assert_uint_eq(strlen(stand_hear(fds[i])), 2);
        (void)close(fds[i]);
    }
    ck_assert_str_eq(stand_hear(late), "late\n");
    (void)close(late);
}
END_TEST

/* A served waiter with more to say goes to the end of the queue. */
START_TEST(a_waiter_with_more_to_say_waits_again)
{
    int a = stand_connect(&stand, 0), b = stand_connect(&stand, 0);

    sink->places = 0;
    stand_say(a, "a1\na2\na3\n");
    (void)stand_run(&stand);
    stand_say(b, "b1\nb2\n");
    (void)stand_run(&stand);
    sink->places = 1;
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->taken, 5);
    ck_assert_str_eq(sink->records[0].text, "a1");
    ck_assert_str_eq(sink->records[1].text, "b1");
    ck_assert_str_eq(stand_hear(a), "a1\na2\na3\n");
    ck_assert_str_eq(stand_hear(b), "b1\nb2\n");
    (void)close(a);
    (void)close(b);
}
END_TEST

/* Some waiters leave; the others keep their order. */
START_TEST(waiters_can_give_up)
{
    int fds[9];

    sink->places = 0;
    for (int i = 0; i < 9; i++) {
        fds[i] = stand_connect(&stand, 0);
        stand_say(fds[i], "x\n");
        (void)stand_run(&stand);
    }
    /* A close leaves its messages in their place. Lack of memory removes it. */
    (void)close(fds[0]);
    (void)close(fds[4]);
    (void)stand_run(&stand);
    atomic_store(&stand.shared.memory_limit, 1);
    (void)close(fds[8]);
    (void)close(fds[5]);
    (void)stand_run(&stand);
    ck_assert_uint_eq(atomic_load(&stand.shared.n_connections), 5);
    ck_assert_uint_eq(context->n_live, 7);
    atomic_store(&stand.shared.memory_limit, SIZE_MAX / 2);
    sink->places = 2;
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->taken, 7);
    for (size_t i = 1; i < 7; i++)
        ck_assert_uint_gt(sink->records[i].connection, sink->records[i - 1].connection);
    for (int i = 0; i < 9; i++)
        if (i % 4 != 0 && i != 5) {
            ck_assert_str_eq(stand_hear(fds[i]), "x\n");
            (void)close(fds[i]);
        }
}
END_TEST

/* As many clients as the descriptor limit allows, all at once. The queue has 512 places and empties
 * in parts. No client is woken in vain. */
START_TEST(few_dispatches_for_a_crowd)
{
    enum { N = 4000, PER_CLIENT = 3 };
    struct rlimit limit;
    uint64_t random = 1, before;
    int *fds = calloc(N, sizeof *fds), n = N;
    unsigned turns = 0;

    ck_assert_ptr_nonnull(fds);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    n = (int)MIN((rlim_t)N, (limit.rlim_cur - 100) / 2);
    for (int i = 0; i < n; i++)
        fds[i] = stand_connect(&stand, 0);
    (void)stand_run(&stand);
    sink->takes = 512;
    before = counter_get(&counters->dispatches);
    for (unsigned round = 1; round <= PER_CLIENT; round++) {
        for (int i = 0; i < n; i++)
            stand_say(fds[i], "message\n");
        for (; sink->told < round * (unsigned)n; turns++) {
            ck_assert_uint_lt(turns, 1000000);
            worker_turn(stand.workers[0]);
            hooks.now_us += 500;
            if (sink->takes == 0)
                sink_fake_make_room(sink, 1 + random_below(&random, 100));
        }
        (void)stand_run(&stand);
        for (int i = 0; i < n; i++)
            if (strcmp(stand_hear(fds[i]), "message\n") != 0)
                ck_abort_msg("not the reply");
    }
    ck_assert_uint_eq(sink->told, (size_t)n * PER_CLIENT);
    ck_assert_uint_le(counter_get(&counters->dispatches) - before, 3 * sink->told);
    for (int i = 0; i < n; i++)
        (void)close(fds[i]);
    free(fds);
}
END_TEST

/* All waiters reset in one turn. */
START_TEST(a_crowd_can_leave_while_it_waits)
{
    enum { N = 400 };
    int fds[N], descriptors;

    sink->places = 0;
    for (int i = 0; i < N; i++) {
        fds[i] = stand_connect(&stand, 0);
        stand_say(fds[i], "one\ntwo\n");
    }
    (void)stand_run(&stand);
    descriptors = stand_descriptors();
    for (int i = 0; i < N; i++)
        (void)close(fds[i]);
    worker_turn(stand.workers[0]); /* LOOP_EVENTS at once */
    worker_turn(stand.workers[0]);
    ck_assert_int_eq(stand_descriptors(), descriptors - 2 * N);
    ck_assert_uint_eq(atomic_load(&stand.shared.n_connections), 0);
    ck_assert_uint_eq(context->n_live, N);
    sink->places = BATCH_RECORDS;
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->told, 2 * N);
    ck_assert_uint_eq(counter_get(&counters->discarded), 0);
    ck_assert_uint_eq(context->n_live, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("waiting");
    TCase *cases = tcase_create("waiting");

    tcase_add_checked_fixture(cases, alone_begin, alone_end);
    tcase_add_test(cases, first_come_first_served);
    tcase_add_test(cases, a_newcomer_does_not_overtake);
    tcase_add_test(cases, a_waiter_with_more_to_say_waits_again);
    tcase_add_test(cases, waiters_can_give_up);
    tcase_add_test(cases, few_dispatches_for_a_crowd);
    tcase_add_test(cases, a_crowd_can_leave_while_it_waits);
    suite_add_tcase(suite, cases);
    return suite;
}
