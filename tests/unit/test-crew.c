/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "runner.h"
#include "serve/crew.h"
#include "stand.h"

/* Workers with threads and the system's clock. */

enum { WORKERS = 3, CLIENTS = 30 };

static struct shared shared;
static struct crew crew;
static struct settings *settings;
static int descriptors;

static void setup(void)
{
    descriptors = stand_descriptors();
    shared = (struct shared){ .run_id = "run", .journal_path = "/nonexistent" };
    shared.notify_fd = eventfd(0, EFD_CLOEXEC);
    atomic_init(&shared.max_connections, 1000);
    atomic_init(&shared.memory_limit, SIZE_MAX / 2);
    address_limit_init(&shared.addresses, UINT64_MAX);
    settings = stand_settings("default");
    settings->record = RECORD_NONE;
}

static void teardown(void)
{
    crew_stop(&crew, &shared);
    ck_assert_ptr_null(crew.workers);
    ck_assert_ptr_null(shared.contexts);
    ck_assert_uint_eq(atomic_load(&shared.n_connections), 0);
    ck_assert_uint_eq(atomic_load(&settings->references), 1);
    settings_unref(settings);
    address_limit_deinit(&shared.addresses);
    (void)close(shared.notify_fd);
    ck_assert_int_eq(stand_descriptors(), descriptors);
}

static void start(void)
{
    ck_assert_int_eq(crew_make_run_id(&shared), 0);
    ck_assert_int_eq(crew_start(&crew, &shared, WORKERS), 0);
    ck_assert_uint_eq(crew.n_started, WORKERS);
}

/* Waits until enough notifications have come for done() to be true. */
static void wait_until(bool (*done)(const struct crew *crew, unsigned n), unsigned n)
{
    uint64_t value;

    while (!done(&crew, n))
        ck_assert_int_eq(read(shared.notify_fd, &value, sizeof value), sizeof value);
}

static bool all_ended(const struct crew *c, _unused_ unsigned n)
{
    return crew_all_ended(c);
}

static void serve(int listener)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        struct worker_plan *plan = calloc(1, sizeof *plan + sizeof(struct acceptor *));

        ck_assert_ptr_nonnull(plan);
        plan->n = 1;
        plan->acceptors[0] = acceptor_new(listener, "here", settings);
        worker_send_plan(crew.workers[i], plan);
    }
}

static void check_echo(int fd)
{
    stand_say(fd, "hello\n");
    ck_assert_int_eq(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 30000), 1);
    ck_assert_str_eq(stand_hear(fd), "hello\n");
}

START_TEST(all_workers_answer_pings)
{
    start();
    ck_assert(!crew_any_ended(&crew));
    ck_assert(!crew_pings_answered(&crew, 1));
    crew_command(&crew, COMMAND_PING);
    wait_until(crew_pings_answered, 1);
}
END_TEST

START_TEST(all_workers_accept_and_drain)
{
    int listener = stand_listen(), clients[CLIENTS];
    uint64_t least = UINT64_MAX, most = 0;

    start();
    serve(listener);
    wait_until(crew_plans_done, 1);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = stand_dial(listener);
        check_echo(clients[i]);
    }
    ck_assert_uint_eq(atomic_load(&shared.n_connections), CLIENTS);
    for (unsigned i = 0; i < WORKERS; i++) {
        uint64_t n = atomic_load(&crew.workers[i]->context.n_connections);

        least = MIN(least, n);
        most = MAX(most, n);
    }
    ck_assert_uint_le(most - least, 5); /* a worker with more hands over */
    crew_command(&crew, COMMAND_DRAIN);
    wait_until(all_ended, 0);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_str_eq(stand_hear(clients[i]), "$");
        (void)close(clients[i]);
    }
    (void)close(listener);
}
END_TEST

/* An open connection does not delay it. */
START_TEST(all_workers_stop_at_once)
{
    int listener = stand_listen(), client = stand_dial(listener);

    start();
    serve(listener);
    check_echo(client);
    crew_command(&crew, COMMAND_STOP);
    wait_until(all_ended, 0);
    ck_assert(crew_any_ended(&crew));
    ck_assert(crew_pings_answered(&crew, 1)); /* no living worker is left to answer */
    ck_assert_str_eq(stand_hear(client), "$");
    (void)close(client);
    (void)close(listener);
}
END_TEST

/* Whatever fails, everything that was started is ended. */
START_TEST(a_failed_start_is_cleaned_up)
{
    for (unsigned n = 1;; n++) {
        int r;

        hooks_fail_allocation(n);
        r = crew_start(&crew, &shared, 1);
        if (!hooks_allocation_failed()) {
            ck_assert_int_eq(r, 0);
            break;
        }
        ck_assert_int_lt(r, 0);
        crew_stop(&crew, &shared);
        ck_assert_int_eq(stand_descriptors(), descriptors + 1);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("crew");
    TCase *cases = tcase_create("crew");

    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, all_workers_answer_pings);
    tcase_add_test(cases, all_workers_accept_and_drain);
    tcase_add_test(cases, all_workers_stop_at_once);
    tcase_add_test(cases, a_failed_start_is_cleaned_up);
    suite_add_tcase(suite, cases);
    return suite;
}
