/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "runner.h"
#include "stand.h"

#define PAUSE_MS 100

static struct stand stand;
static struct counters *counters;
static int listener;
static int clients[400];
static int n_clients;

static void serve(unsigned worker)
{
    struct worker_plan *plan = calloc(1, sizeof *plan + sizeof(struct acceptor *));

    ck_assert_ptr_nonnull(plan);
    plan->n = 1;
    plan->acceptors[0] = acceptor_new(listener, "here", stand.settings);
    ck_assert_ptr_nonnull(plan->acceptors[0]);
    worker_send_plan(stand.workers[worker], plan);
    worker_turn(stand.workers[worker]);
}

static void setup_workers(unsigned n)
{
    stand_begin(&stand, n);
    counters = &stand.contexts[0]->counters;
    listener = stand_listen();
    n_clients = 0;
    hooks.patience_ms = 20;
}

static void setup(void)
{
    setup_workers(1);
}

static void setup_two(void)
{
    setup_workers(2);
}

static void teardown(void)
{
    for (int i = 0; i < n_clients; i++)
        clients[i] = close_fd(clients[i]);
    stand_end(&stand);
    listener = close_fd(listener);
}

static void dial(int n)
{
    for (; n > 0; n--)
        clients[n_clients++] = stand_dial(listener);
}

static struct acceptor *acceptor(void)
{
    return stand.workers[0]->acceptors;
}

static void check_accepted(uint64_t n)
{
    ck_assert_uint_eq(counter_get(&counters->accepted), n);
}

/* Including connections that waited before it began. */
START_TEST(accepts_all_connections)
{
    dial(3);
    serve(0);
    (void)stand_run(&stand);
    check_accepted(3);
    dial(2);
    (void)stand_run(&stand);
    check_accepted(5);
    stand_say(clients[4], "x\n");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(clients[4]), "x\n");
    ck_assert(!stand_last(&stand, 0)->transport.peer.is_unix);
}
END_TEST

START_TEST(accepts_a_share_per_dispatch)
{
    dial(200);
    serve(0);
    worker_turn(stand.workers[0]);
    ck_assert_uint_ge(counter_get(&counters->accepted), 64);
    ck_assert_uint_le(counter_get(&counters->accepted), 128);
    (void)stand_run(&stand);
    check_accepted(200);
}
END_TEST

/* It leaves the loop until any connection ends, and logs that. */
START_TEST(stops_at_the_connection_limit)
{
    atomic_store(&stand.shared.max_connections, 2);
    serve(0);
    dial(4);
    (void)stand_run(&stand);
    check_accepted(2);
    ck_assert(!acceptor()->registered);
    ck_assert(timer_armed(&acceptor()->retry));
    ck_assert(atomic_load(&stand.contexts[0]->accepting_pauses));
    ck_assert_uint_gt(hooks.logged[EVENT_CONNECTION_LIMIT], 0);
    dial(1);
    (void)stand_run(&stand);
    check_accepted(2);

    (void)close(clients[0]);
    clients[0] = -1;
    (void)stand_run(&stand);
    check_accepted(3);
    ck_assert_uint_eq(atomic_load(&stand.shared.n_connections), 2);

    /* It also looks again after a while, since the limit may have been raised. */
    ck_assert(!acceptor()->registered);
    atomic_store(&stand.shared.max_connections, 100);
    (void)stand_run(&stand);
    check_accepted(3);
    stand_pass(&stand, PAUSE_MS);
    check_accepted(5);
    ck_assert(acceptor()->registered);
    ck_assert(!timer_armed(&acceptor()->retry));
}
END_TEST

static void raise_limit(enum event event)
{
    if (event == EVENT_CONNECTION_LIMIT)
        atomic_store(&stand.shared.max_connections, 100);
}

/* A place becomes free just before the acceptor asks to be notified. */
START_TEST(misses_no_free_place)
{
    atomic_store(&stand.shared.max_connections, 0);
    hooks.on_log = raise_limit;
    dial(1);
    serve(0);
    (void)stand_run(&stand);
    check_accepted(1);
    ck_assert(acceptor()->registered);
    ck_assert(!timer_armed(&acceptor()->retry));
}
END_TEST

/* A connection of another worker ends. */
START_TEST(resumes_when_any_connection_ends)
{
    int other = stand_connect(&stand, 1);

    atomic_store(&stand.shared.max_connections, 1);
    serve(0);
    dial(1);
    (void)stand_run(&stand);
    check_accepted(0);
    ck_assert(!acceptor()->registered);
    (void)close(other);
    (void)stand_run(&stand);
    check_accepted(1);
}
END_TEST

START_TEST(pauses_without_descriptors)
{
    static const int errors[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM };

    hooks.accept_error = errors[_i];
    hooks.accept_fails = 1;
    dial(1);
    serve(0);
    (void)stand_run(&stand);
    check_accepted(0);
    ck_assert(!acceptor()->registered);
    ck_assert_uint_eq(hooks.logged[EVENT_ACCEPT_FAILED], 1);
    hooks.accept_fails = 1;
    stand_pass(&stand, PAUSE_MS);
    check_accepted(0);
    ck_assert_uint_eq(hooks.logged[EVENT_ACCEPT_FAILED], 2);
    stand_pass(&stand, PAUSE_MS);
    check_accepted(1);
}
END_TEST

/* An error of one connection does not stop the listener. An error that repeats is not about one
 * connection. */
START_TEST(accepts_again_after_other_errors)
{
    hooks.accept_error = ECONNABORTED;
    hooks.accept_fails = 15;
    dial(1);
    serve(0);
    (void)stand_run(&stand);
    check_accepted(1);
    ck_assert(acceptor()->registered);
    ck_assert_uint_eq(acceptor()->failures, 0);

    hooks.accept_error = EPROTO;
    hooks.accept_fails = 16;
    dial(1);
    (void)stand_run(&stand);
    check_accepted(1);
    ck_assert(!acceptor()->registered);
    stand_pass(&stand, PAUSE_MS);
    check_accepted(2);

    hooks.accept_error = EINTR;
    hooks.accept_fails = 100;
    dial(1);
    for (int i = 0; i < 3; i++)
        (void)stand_run(&stand);
    check_accepted(3);
}
END_TEST

/* fs.epoll.max_user_watches: the connection is closed, and accepting pauses. */
START_TEST(closes_a_connection_it_cannot_register)
{
    serve(0);
    dial(2);
    hooks.add_error = ENOSPC;
    (void)stand_run(&stand);
    check_accepted(1); /* in the listener's place */
    ck_assert(!acceptor()->registered);
    ck_assert_ptr_nonnull(strstr(hooks.last_logged, "max_user_watches"));
    stand_pass(&stand, PAUSE_MS);
    check_accepted(2);
}
END_TEST

START_TEST(retries_a_listener_it_cannot_register)
{
    hooks.add_error = ENOSPC;
    serve(0);
    dial(1);
    (void)stand_run(&stand);
    ck_assert(!acceptor()->registered);
    ck_assert_uint_eq(hooks.logged[EVENT_ACCEPT_FAILED], 1);
    check_accepted(0);
    stand_pass(&stand, PAUSE_MS);
    check_accepted(1);
}
END_TEST

START_TEST(no_memory_to_count_an_address)
{
    int descriptors;

    serve(0);
    dial(1);
    descriptors = stand_descriptors();
    atomic_store(&stand.shared.addresses.max, 100);
    hooks_fail_allocation(1);
    (void)stand_run(&stand);
    ck_assert(hooks_allocation_failed());
    check_accepted(0);
    ck_assert_int_eq(stand_descriptors(), descriptors);
    ck_assert_uint_eq(counter_get(&counters->refused), 1);
}
END_TEST

START_TEST(turns_away_an_address_that_is_not_allowed)
{
    serve(0);
    ck_assert_int_eq(prefix_list_parse("127.0.0.1", &stand.settings->deny), 0);
    dial(2);
    (void)stand_run(&stand);
    check_accepted(0);
    ck_assert_uint_eq(counter_get(&counters->refused), 2);
    ck_assert_uint_eq(hooks.logged[EVENT_NOT_ALLOWED], 2);
    ck_assert_str_eq(stand_hear(clients[1]), "error: your address is not allowed\n$");
}
END_TEST

START_TEST(turns_away_too_many_from_one_address)
{
    atomic_store(&stand.shared.addresses.max, 2);
    serve(0);
    dial(3);
    (void)stand_run(&stand);
    check_accepted(2);
    ck_assert_uint_eq(counter_get(&counters->refused), 1);
    ck_assert_uint_eq(hooks.logged[EVENT_ADDRESS_LIMIT], 1);
    ck_assert_str_eq(stand_hear(clients[2]), "error: too many connections from your address\n$");
    (void)close(clients[0]);
    clients[0] = -1;
    (void)stand_run(&stand);
    dial(1);
    (void)stand_run(&stand);
    check_accepted(3);
}
END_TEST

/* New connections get the settings of the latest plan; existing ones keep theirs. */
START_TEST(new_settings_are_for_new_connections)
{
    struct settings *before = stand.settings;

    serve(0);
    dial(1);
    (void)stand_run(&stand);
    stand.settings = stand_settings("other");
    serve(0);
    ck_assert(acceptor()->registered);
    ck_assert_ptr_null(acceptor()->next);
    dial(1);
    (void)stand_run(&stand);
    ck_assert_ptr_eq(stand_last(&stand, 0)->settings, stand.settings);
    ck_assert_uint_eq(atomic_load(&before->references), 2); /* ours and the first connection's */
    (void)close(clients[0]);
    clients[0] = -1;
    (void)stand_run(&stand);
    ck_assert_uint_eq(atomic_load(&before->references), 1);
    settings_unref(before);
}
END_TEST

/* The worker with fewer connections gets it, and its first message is not missed. */
START_TEST(hands_over_to_the_least_loaded_worker)
{
    int others[10];

    for (int i = 0; i < 10; i++)
        others[i] = stand_connect(&stand, 0);
    serve(0);
    dial(1);
    stand_say(clients[0], "early\n");
    worker_turn(stand.workers[0]);
    (void)stand_run(&stand);
    check_accepted(10);
    ck_assert_uint_eq(counter_get(&stand.contexts[1]->counters.accepted), 1);
    ck_assert_uint_eq(atomic_load(&stand.contexts[1]->n_connections), 1);
    ck_assert_str_eq(stand_hear(clients[0]), "early\n");
    ck_assert_uint_eq(stand.sinks[1]->taken, 1);
    for (int i = 0; i < 10; i++)
        (void)close(others[i]);
}
END_TEST

/* If the handover fails, the connection stays. If the other worker cannot take it, it is closed. */
START_TEST(keeps_what_it_cannot_hand_over)
{
    int others[10], descriptors;

    for (int i = 0; i < 10; i++)
        others[i] = stand_connect(&stand, 0);
    serve(0);
    (void)stand_run(&stand);
    dial(1);
    hooks.add_error = ENOSPC;
    (void)stand_run(&stand);
    check_accepted(11);

    dial(1);
    hooks_fail_allocation(1); /* the handover */
    (void)stand_run(&stand);
    ck_assert(hooks_allocation_failed());
    check_accepted(12);
    ck_assert_uint_eq(atomic_load(&stand.contexts[1]->n_connections), 0);

    dial(1);
    descriptors = stand_descriptors();
    hooks.modify_error = ENOMEM;
    (void)stand_run(&stand);
    ck_assert_uint_eq(counter_get(&stand.contexts[1]->counters.accepted), 0);
    ck_assert_uint_eq(atomic_load(&stand.contexts[1]->n_connections), 0);
    ck_assert_int_eq(stand_descriptors(), descriptors);
    for (int i = 0; i < 10; i++)
        (void)close(others[i]);
}
END_TEST

/* If a worker ends before it looked at its handovers, their connections are closed. */
START_TEST(hands_over_to_a_worker_that_ends)
{
    enum { N = LOOP_EVENTS + 50 };

    atomic_store(&stand.contexts[0]->n_connections, 10000); /* the acceptor's view */
    serve(0);
    dial(N);
    for (int i = 0; i < 20; i++)
        worker_turn(stand.workers[0]);
    check_accepted(0);
    ck_assert_uint_eq(atomic_load(&stand.contexts[1]->n_connections), N);
    atomic_store(&stand.contexts[0]->n_connections, 0);
    worker_close(stand.workers[1]);
    ck_assert_uint_eq(atomic_load(&stand.contexts[1]->n_connections), 0);
    ck_assert_uint_eq(atomic_load(&stand.shared.n_connections), 0);
    worker_free(stand.workers[1]);
    stand.n = stand.shared.n_contexts = 1;
    ck_assert_str_eq(stand_hear(clients[N - 1]), "$");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("acceptor");
    TCase *one = tcase_create("one worker"), *two = tcase_create("two workers");

    tcase_add_checked_fixture(one, setup, teardown);
    tcase_add_test(one, accepts_all_connections);
    tcase_add_test(one, accepts_a_share_per_dispatch);
    tcase_add_test(one, stops_at_the_connection_limit);
    tcase_add_test(one, misses_no_free_place);
    tcase_add_loop_test(one, pauses_without_descriptors, 0, 4);
    tcase_add_test(one, accepts_again_after_other_errors);
    tcase_add_test(one, closes_a_connection_it_cannot_register);
    tcase_add_test(one, retries_a_listener_it_cannot_register);
    tcase_add_test(one, no_memory_to_count_an_address);
    tcase_add_test(one, turns_away_an_address_that_is_not_allowed);
    tcase_add_test(one, turns_away_too_many_from_one_address);
    tcase_add_test(one, new_settings_are_for_new_connections);
    suite_add_tcase(suite, one);
    tcase_add_checked_fixture(two, setup_two, teardown);
    tcase_add_test(two, resumes_when_any_connection_ends);
    tcase_add_test(two, hands_over_to_the_least_loaded_worker);
    tcase_add_test(two, keeps_what_it_cannot_hand_over);
    tcase_add_test(two, hands_over_to_a_worker_that_ends);
    suite_add_tcase(suite, two);
    return suite;
}
