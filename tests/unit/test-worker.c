/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alone.h"
#include "base/macros.h"
#include "runner.h"

static struct worker *worker;

static void setup(void)
{
    alone_begin();
    worker = stand.workers[0];
}

/* Whether the main thread was notified since the last call. */
static bool notified(void)
{
    uint64_t value;

    return read(stand.shared.notify_fd, &value, sizeof value) == sizeof value;
}

/* A plan with these listeners. */
static struct worker_plan *plan_new(const int *fds, size_t n)
{
    struct worker_plan *plan = calloc(1, sizeof *plan + n * sizeof(struct acceptor *));

    ck_assert_ptr_nonnull(plan);
    for (; plan->n < n; plan->n++) {
        plan->acceptors[plan->n] = acceptor_new(fds[plan->n], "here", stand.settings);
        ck_assert_ptr_nonnull(plan->acceptors[plan->n]);
    }
    return plan;
}

static size_t n_acceptors(void)
{
    size_t n = 0;

    for (const struct acceptor *a = worker->acceptors; a; a = a->next)
        n++;
    return n;
}

START_TEST(answers_pings)
{
    (void)stand_run(&stand);
    ck_assert(!notified());
    context_command(context, COMMAND_PING);
    worker_turn(worker);
    ck_assert_uint_eq(atomic_load(&worker->pings_answered), 1);
    ck_assert(notified());
    context_command(context, COMMAND_PING);
    context_command(context, COMMAND_PING); /* one answer is enough for both */
    (void)stand_run(&stand);
    ck_assert_uint_eq(atomic_load(&worker->pings_answered), 2);
    ck_assert(!worker_is_done(worker));
}
END_TEST

START_TEST(stops_at_once)
{
    int a = stand_connect(&stand, 0);

    sink->later = true;
    stand_say(a, "one\n");
    (void)stand_run(&stand);
    context_command(context, COMMAND_STOP);
    ck_assert(!worker_is_done(worker));
    worker_run(worker);
    ck_assert(worker_is_done(worker));
    ck_assert(atomic_load(&worker->ended));
    ck_assert(notified());
    ck_assert_str_eq(stand_hear(a), "$");
    ck_assert_str_eq(stand_states(1), "C");
    worker_free(worker);
    stand.n = 0;
    (void)close(a);
}
END_TEST

/* Only after everything is answered and recorded. */
START_TEST(drains_its_connections)
{
    int a = stand_connect(&stand, 0);

    sink->later = true;
    stand_say(a, "one\n");
    (void)stand_run(&stand);
    context_command(context, COMMAND_DRAIN);
    (void)stand_run(&stand);
    ck_assert(!worker_is_done(worker));
    (void)close(a);
    (void)stand_run(&stand);
    ck_assert_uint_eq(context->n_live, 0);
    ck_assert(!worker_is_done(worker));
    sink_fake_finish(sink, SIZE_MAX);
    stand_pass(&stand, 5);
    ck_assert(worker_is_done(worker));
}
END_TEST

/* A connection on its way to it counts. */
START_TEST(drains_what_is_handed_over)
{
    context_command(context, COMMAND_DRAIN);
    atomic_fetch_add(&context->n_connections, 1);
    (void)stand_run(&stand);
    ck_assert(!worker_is_done(worker));
    atomic_fetch_sub(&context->n_connections, 1);
    ck_assert(worker_is_done(worker));
}
END_TEST

/* Listeners come, stay and go. */
START_TEST(carries_out_a_plan)
{
    int fds[3] = { stand_listen(), stand_listen(), stand_listen() };
    struct acceptor *second;

    worker_send_plan(worker, plan_new(fds, 2));
    ck_assert_uint_eq(atomic_load(&worker->plans_done), 0);
    worker_turn(worker);
    ck_assert_uint_eq(atomic_load(&worker->plans_done), 1);
    ck_assert(notified());
    ck_assert_uint_eq(n_acceptors(), 2);
    second = worker->acceptors->next;
    ck_assert_int_eq(second->source.fd, fds[1]);
    worker_send_plan(worker, plan_new(fds + 1, 2));
    worker_turn(worker);
    ck_assert_uint_eq(n_acceptors(), 2);
    ck_assert_ptr_eq(worker->acceptors, second);
    ck_assert_int_eq(second->next->source.fd, fds[2]);
    worker_send_plan(worker, plan_new(NULL, 0));
    worker_turn(worker);
    ck_assert_ptr_null(worker->acceptors);
    ck_assert_uint_eq(atomic_load(&worker->plans_done), 3);
    ck_assert_uint_eq(atomic_load(&stand.settings->references), 1);
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
}
END_TEST

START_TEST(only_the_newest_plan_is_seen)
{
    int fds[2] = { stand_listen(), stand_listen() };

    worker_send_plan(worker, plan_new(fds, 1));
    worker_send_plan(worker, plan_new(fds + 1, 1));
    ck_assert_uint_eq(atomic_load(&worker->plans_done), 1);
    worker_turn(worker);
    ck_assert_uint_eq(atomic_load(&worker->plans_done), 2);
    ck_assert_uint_eq(n_acceptors(), 1);
    ck_assert_int_eq(worker->acceptors->source.fd, fds[1]);
    worker_send_plan(worker, plan_new(fds, 2)); /* never seen, but freed */
    stand_end(&stand);
    stand_begin(&stand, 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}
END_TEST

/* The worker does not look for a journal that no listener uses. */
START_TEST(recorders_are_opened_when_needed)
{
    int fd = stand_listen();

    recorder_deinit(&worker->journal);
    sink = sink_fake_new();
    recorder_init(&worker->journal, context, RECORD_JOURNAL, &sink->sink);
    stand.settings->record = RECORD_NONE;
    worker_send_plan(worker, plan_new(&fd, 1));
    worker_turn(worker);
    ck_assert_uint_eq(sink->opens, 0);
    stand.settings->record = RECORD_JOURNAL;
    worker_send_plan(worker, plan_new(&fd, 1));
    worker_turn(worker);
    ck_assert_uint_eq(sink->opens, 1);
    (void)close(fd);
}
END_TEST

/* A free place is reported to the workers that wait for one, and to no others. */
START_TEST(resumes_accepting)
{
    int fd = stand_listen(), client;

    atomic_store(&stand.shared.max_connections, 0);
    worker_send_plan(worker, plan_new(&fd, 1));
    client = stand_dial(fd);
    hooks.patience_ms = 20;
    (void)stand_run(&stand);
    ck_assert(!worker->acceptors->registered);
    ck_assert(atomic_load(&context->accepting_pauses));
    atomic_store(&stand.shared.max_connections, 10);
    context_place_is_free(context);
    ck_assert(!atomic_load(&context->accepting_pauses));
    ck_assert_uint_eq(atomic_load(&context->commands), COMMAND_RESUME);
    (void)stand_run(&stand);
    ck_assert_uint_eq(counter_get(&context->counters.accepted), 1);
    context_place_is_free(context);
    ck_assert_uint_eq(atomic_load(&context->commands), 0);
    (void)close(client);
    (void)close(fd);
}
END_TEST

/* Without epoll_pwait2(2) waits are rounded up to milliseconds. */
static uint64_t asked_us(uint64_t us)
{
#ifdef HAVE_EPOLL_PWAIT2
    return us;
#else
    return DIV_ROUND_UP(us, UINT64_C(1000)) * 1000;
#endif
}

/* Until the nearest of a turn's possible deadlines. */
START_TEST(sleeps_as_long_as_it_may)
{
    int a;

    (void)stand_run(&stand);
    ck_assert_uint_eq(hooks.timeout_us, UINT64_MAX);
    stand.settings->idle_ms = 5;
    a = stand_connect(&stand, 0);
    (void)stand_run(&stand);
    ck_assert_uint_eq(hooks.timeout_us, 5000);
    sink->takes = 0;
    stand_say(a, "x\n");
    (void)stand_run(&stand);
    ck_assert_uint_eq(hooks.timeout_us, asked_us(100)); /* a pause of its recorder */
    hooks.now_us += 30;
    (void)stand_run(&stand);
    ck_assert_uint_eq(hooks.timeout_us, asked_us(70));
    (void)close(a);
}
END_TEST

/* Records and their replies are sent in the same turn as the message arrived. */
START_TEST(answers_within_one_turn)
{
    int fds[50];

    for (int i = 0; i < 50; i++)
        fds[i] = stand_connect(&stand, 0);
    (void)stand_run(&stand);
    sink->submits = 0;
    for (int i = 0; i < 50; i++)
        stand_say(fds[i], "one\n");
    worker_turn(worker);
    ck_assert_uint_eq(sink->submits, 1);
    for (int i = 0; i < 50; i++) {
        ck_assert_str_eq(stand_hear(fds[i]), "one\n");
        (void)close(fds[i]);
    }
}
END_TEST

/* Memory goes back to the system some time after a burst. */
START_TEST(trims_memory)
{
    static char large[150001];
    int fds[4];

    memset(large, 'x', sizeof large - 1);
    stand.settings->rules.max_message = 1 << 20;
    for (int i = 0; i < 4; i++) {
        fds[i] = stand_connect(&stand, 0);
        stand_say(fds[i], large);
        (void)stand_run(&stand);
    }
    ck_assert(!timer_armed(&worker->trim));
    for (int i = 0; i < 4; i++)
        (void)close(fds[i]);
    (void)stand_run(&stand);
    ck_assert(timer_armed(&worker->trim));
    ck_assert_uint_gt(context->budget.peak, 4 * 150000);
    stand_pass(&stand, 999);
    ck_assert(timer_armed(&worker->trim));
    stand_pass(&stand, 1);
    ck_assert(!timer_armed(&worker->trim));
    ck_assert_uint_eq(context->budget.peak, context->budget.used);
}
END_TEST

/* A connection's memory exists until the turn is over, even if the connection ends early in it. */
START_TEST(buried_at_the_end_of_the_turn)
{
    int a = stand_connect(&stand, 0), b = stand_connect(&stand, 0);

    (void)stand_run(&stand);
    stand_say(a, "one\n");
    stand_say(b, "one\n");
    (void)close(a);
    (void)close(b);
    worker_turn(worker);
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(1), "FC");
    ck_assert_str_eq(stand_states(2), "FC");
    ck_assert_ptr_null(context->buried);
    ck_assert_ptr_null(stand_last(&stand, 0));
    ck_assert_uint_eq(sink->taken, 2);
}
END_TEST

/* Both recorders belong to it, and neither holds up the other. */
START_TEST(serves_two_recorders)
{
    int a, b;

    recorder_deinit(&worker->console);
    sink = sink_fake_new();
    recorder_init(&worker->console, context, RECORD_STDERR, &sink->sink);
    recorder_need(&worker->console);
    a = stand_connect(&stand, 0);
    (void)stand_run(&stand);
    settings_unref(stand.settings);
    stand.settings = stand_settings("console");
    stand.settings->record = RECORD_STDERR;
    b = stand_connect(&stand, 0);
    sink->takes = 0;
    sink->places = 1;
    stand_say(b, "1\n2\n");
    (void)stand_run(&stand);
    stand_say(a, "one\n");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(a), "one\n");
    ck_assert_str_eq(stand_hear(b), "");
    ck_assert_uint_eq(atomic_load(&context->outages), 1U << RECORD_STDERR);
    sink->takes = SIZE_MAX;
    stand_pass(&stand, 5);
    stand_pass(&stand, 5);
    ck_assert_str_eq(stand_hear(b), "1\n2\n");
    (void)close(a);
    (void)close(b);
    (void)stand_run(&stand);
}
END_TEST

START_TEST(an_error_of_the_loop_ends_it)
{
    hooks.wait_error = EBADF;
    worker_turn(worker);
    ck_assert(worker_is_done(worker));
    ck_assert_uint_eq(hooks.logged[EVENT_NOTICE], 1);
}
END_TEST

START_TEST(a_signal_does_not_end_it)
{
    hooks.wait_error = EINTR;
    worker_turn(worker);
    ck_assert(!worker_is_done(worker));
}
END_TEST

START_TEST(fails_cleanly_without_resources)
{
    int descriptors = stand_descriptors();
    struct worker *w = NULL;
    unsigned n;
    int r;

    for (n = 1;; n++) {
        hooks_fail_allocation(n);
        r = worker_new(&stand.shared, 1, &w);
        if (!hooks_allocation_failed())
            break;
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert_ptr_null(w);
        ck_assert_int_eq(stand_descriptors(), descriptors);
    }
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(n, 5);
    worker_close(w);
    worker_free(w);
    hooks.add_error = ENOSPC;
    ck_assert_int_eq(worker_new(&stand.shared, 1, &w), -ENOSPC);
    ck_assert_int_eq(stand_descriptors(), descriptors);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker");
    TCase *cases = tcase_create("worker");

    tcase_add_checked_fixture(cases, setup, alone_end);
    tcase_add_test(cases, answers_pings);
    tcase_add_test(cases, stops_at_once);
    tcase_add_test(cases, drains_its_connections);
    tcase_add_test(cases, drains_what_is_handed_over);
    tcase_add_test(cases, carries_out_a_plan);
    tcase_add_test(cases, only_the_newest_plan_is_seen);
    tcase_add_test(cases, recorders_are_opened_when_needed);
    tcase_add_test(cases, resumes_accepting);
    tcase_add_test(cases, sleeps_as_long_as_it_may);
    tcase_add_test(cases, answers_within_one_turn);
    tcase_add_test(cases, trims_memory);
    tcase_add_test(cases, buried_at_the_end_of_the_turn);
    tcase_add_test(cases, serves_two_recorders);
    tcase_add_test(cases, an_error_of_the_loop_ends_it);
    tcase_add_test(cases, a_signal_does_not_end_it);
    tcase_add_test(cases, fails_cleanly_without_resources);
    suite_add_tcase(suite, cases);
    return suite;
}
