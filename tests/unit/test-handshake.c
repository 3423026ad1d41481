/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "protocol/proxy-header.h"
#include "random.h"
#include "runner.h"
#include "serve/preface.h"
#include "tls-stand.h"

START_TEST(what_is_no_handshake)
{
    static const char *const texts[] = { "hello\n", "GET / HTTP/1.1\r\n\r\n",
                                         "\x16\x03\x01\xff\xff", "PROXY UNKNOWN\r\n" };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        tls_stand_dial(0, TLS1_3_VERSION);
        stand_say(sockets[0], texts[i]);
        (void)stand_run(&stand);
        ck_assert_int_eq(shutdown(sockets[0], SHUT_WR), 0);
        if (texts[i][0] != '\x16')
            ck_assert_str_eq(stand_hear(sockets[0]), "error: TLS is required\n$");
        tls_stand_check_gone(0);
        ck_assert_uint_eq(hooks.logged[EVENT_TLS_REFUSED], i + 1);
        ck_assert_uint_eq(counter_get(&counters->refused), i + 1);
    }
    ck_assert_uint_eq(counter_get(&counters->accepted), 0);
    ck_assert_uint_eq(counter_get(&counters->messages), 0);
}
END_TEST

START_TEST(a_check_that_only_connects_is_not_logged)
{
    tls_stand_dial(0, TLS1_3_VERSION);
    (void)stand_run(&stand);
    ck_assert_ptr_nonnull(stand.contexts[0]->prefaces);
    sockets[0] = close_fd(sockets[0]);
    (void)stand_run(&stand);
    ck_assert_ptr_null(stand.contexts[0]->prefaces);
    ck_assert_uint_eq(hooks.logged[EVENT_TLS_REFUSED], 0);
    ck_assert_uint_eq(counter_get(&counters->refused), 0);
}
END_TEST

START_TEST(a_handshake_has_a_deadline)
{
    tls_stand_dial(0, TLS1_3_VERSION);
    (void)tls_peer_shakes(&peers[0]);
    tls_stand_transmit(0, 0);
    stand_pass(&stand, 9999);
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 0);
    stand_pass(&stand, 2);
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 1);
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
    tls_stand_check_gone(0);
}
END_TEST

/* All at once: each turn takes only some of them, and none is forgotten. */
START_TEST(a_turn_has_a_budget)
{
    const unsigned char *bytes;
    unsigned turns = 0;

    for (int i = 0; i < TLS_STAND_CLIENTS; i++) {
        size_t n;

        tls_stand_dial(i, TLS1_3_VERSION);
        (void)tls_peer_shakes(&peers[i]);
        n = tls_peer_takes(&peers[i], &bytes);
        tls_stand_send(i, bytes, n);
    }
    while (stand.contexts[0]->handshakes.n < TLS_STAND_CLIENTS && turns < 1000) {
        worker_turn(stand.workers[0]);
        turns++;
        ck_assert_uint_le(stand.contexts[0]->handshakes.steps, 4);
    }
    (void)stand_run(&stand);
    for (int i = 0; i < TLS_STAND_CLIENTS; i++) {
        (void)tls_peer_hears(&peers[i], sockets[i]);
        tls_stand_shake(i, 0);
        tls_peer_says(&peers[i], "x\n");
    }
    for (int i = 0; i < TLS_STAND_CLIENTS; i++) {
        tls_stand_transmit(i, 0);
        ck_assert_str_eq(tls_peer_received(&peers[i]), "x\n");
    }
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
}
END_TEST

/* Beyond the limit they wait; and who says nothing takes no place. */
/* Whoever has no place waits. One may always go on. */
START_TEST(a_limit_of_memory)
{
    for (unsigned places = 1; places < TLS_STAND_CLIENTS; places++) {
        atomic_store(&stand.shared.memory_limit,
                     places == 1 ? HANDSHAKE_MEMORY : 2 * places * HANDSHAKE_MEMORY + 1);
        for (int i = 0; i < TLS_STAND_CLIENTS; i++) {
            tls_stand_dial(i, TLS1_3_VERSION);
            (void)tls_peer_shakes(&peers[i]);
            tls_stand_transmit(i, 0);
        }
        ck_assert_uint_eq(stand.contexts[0]->handshakes.n, places);
        for (int i = 0; i < TLS_STAND_CLIENTS; i++) {
            (void)tls_peer_hears(&peers[i], sockets[i]);
            tls_stand_shake(i, 0);
            tls_peer_says(&peers[i], "x\n");
            tls_stand_transmit(i, 0);
            ck_assert_str_eq(tls_peer_received(&peers[i]), "x\n");
        }
        ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
        ck_assert_uint_eq(stand.contexts[0]->budget.held, 0);
    }
}
END_TEST

START_TEST(a_limit_in_flight)
{
    stand.settings->max_handshakes = 1;
    for (int i = 0; i < 4; i++)
        tls_stand_dial(i, TLS1_3_VERSION);
    (void)stand_run(&stand);
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
    for (int i = 1; i < 4; i++) {
        (void)tls_peer_shakes(&peers[i]);
        tls_stand_transmit(i, 0);
        ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 1);
    }
    /* The second in the line goes. */
    sockets[2] = close_fd(sockets[2]);
    (void)stand_run(&stand);
    tls_stand_shake(1, 0);
    tls_peer_says(&peers[1], "x\n");
    tls_stand_transmit(1, 0);
    ck_assert_str_eq(tls_peer_received(&peers[1]), "x\n");
    /* The place went on. */
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 1);
    (void)tls_peer_hears(&peers[3], sockets[3]);
    tls_stand_shake(3, 0);
    tls_peer_says(&peers[3], "y\n");
    tls_stand_transmit(3, 0);
    ck_assert_str_eq(tls_peer_received(&peers[3]), "y\n");
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
    ck_assert_ptr_null(stand.contexts[0]->handshakes.waiters.first);
}
END_TEST

/* Clients that stop in the middle keep others out for a second, not until their deadline. */
START_TEST(the_oldest_gives_way)
{
    stand.settings->max_handshakes = 2;
    for (int i = 0; i < 5; i++) {
        tls_stand_dial(i, TLS1_3_VERSION);
        (void)tls_peer_shakes(&peers[i]);
        tls_stand_transmit(i, 0);
    }
    stand_pass(&stand, 999);
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 0);
    stand_pass(&stand, 2);
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 2);
    for (int i = 2; i < 4; i++) {
        (void)tls_peer_hears(&peers[i], sockets[i]);
        tls_stand_shake(i, 0);
        tls_stand_transmit(i, 0);
    }
    /* Nobody waits any more. */
    stand_pass(&stand, 5000);
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 2);
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 1);
    ck_assert_uint_eq(counter_get(&counters->accepted), 2);
}
END_TEST

/* Says hello, and nothing more. */
static void greet(int i)
{
    (void)tls_peer_shakes(&peers[i]);
    tls_stand_transmit(i, 0);
}

START_TEST(whoever_gets_the_place_gives_way_too)
{
    stand.settings->max_handshakes = 1;
    for (int i = 0; i < 3; i++) {
        tls_stand_dial(i, TLS1_3_VERSION);
        greet(i);
    }
    for (unsigned gone = 1; gone <= 2; gone++) {
        stand_pass(&stand, 1001);
        ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], gone);
    }
    (void)tls_peer_hears(&peers[2], sockets[2]);
    tls_stand_shake(2, 0);
    tls_stand_transmit(2, 0);
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
}
END_TEST

/* The first two end in the same turn, in either order. The one that was woken takes nothing with it. */
START_TEST(the_next_one_ends_too)
{
    stand.settings->max_handshakes = 1;
    stand.settings->handshake_ms = 500;
    for (int i = 0; i < 2; i++)
        tls_stand_dial(_i == 0 ? i : 1 - i, TLS1_3_VERSION);
    (void)stand_run(&stand);
    greet(0);
    greet(1);
    stand_pass(&stand, 400);
    tls_stand_dial(2, TLS1_3_VERSION);
    greet(2);
    stand_pass(&stand, 101);
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 2);
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 1);
    (void)tls_peer_hears(&peers[2], sockets[2]);
    tls_stand_shake(2, 0);
    tls_stand_transmit(2, 0);
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
}
END_TEST

START_TEST(behind_a_proxy)
{
    static const char header[] = "PROXY TCP4 192.0.2.7 192.0.2.1 40000 8080\r\n";

    stand.settings->proxy = PROXY_V1;
    stand.settings->message_ms = 30000;
    ck_assert_int_eq(prefix_list_parse("unix", &stand.settings->proxy_from), 0);
    for (size_t cut = 1; cut < sizeof header + 20; cut++) {
        const unsigned char *bytes;
        unsigned char all[4096];
        size_t n = sizeof header - 1;

        tls_stand_dial(0, TLS1_3_VERSION);
        (void)tls_peer_shakes(&peers[0]);
        memcpy(all, header, n);
        n += tls_peer_takes(&peers[0], &bytes);
        ck_assert_uint_le(n, sizeof all);
        memcpy(all + sizeof header - 1, bytes, n - (sizeof header - 1));
        tls_stand_send(0, all, cut);
        (void)stand_run(&stand);
        tls_stand_send(0, all + cut, n - cut);
        (void)stand_run(&stand);
        (void)tls_peer_hears(&peers[0], sockets[0]);
        tls_stand_shake(0, 0);
        tls_peer_says(&peers[0], "x\n");
        tls_stand_transmit(0, 0);
        ck_assert_str_eq(tls_peer_received(&peers[0]), "x\n");
        ck_assert_mem_eq(stand_last(&stand, 0)->transport.peer.address + 12, "\xc0\0\2\7", 4);
        ck_assert_ptr_nonnull(connection_origin(stand_last(&stand, 0)));
        tls_stand_hang_up(0);
        (void)stand_run(&stand);
    }
}
END_TEST

/* A client that says nothing takes no place, even if its proxy has said something. */
START_TEST(a_silent_one_behind_a_proxy)
{
    static const unsigned char header[] = "PROXY TCP4 192.0.2.7 192.0.2.1 40000 8080\r\n";

    stand.settings->proxy = PROXY_V1;
    ck_assert_int_eq(prefix_list_parse("unix", &stand.settings->proxy_from), 0);
    tls_stand_dial(0, TLS1_3_VERSION);
    tls_stand_send(0, header, sizeof header - 1);
    (void)stand_run(&stand);
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
    tls_stand_shake(0, 0);
    tls_peer_says(&peers[0], "x\n");
    tls_stand_transmit(0, 0);
    ck_assert_str_eq(tls_peer_received(&peers[0]), "x\n");
}
END_TEST

START_TEST(a_stop_answers_what_has_arrived)
{
    const unsigned char *bytes;
    size_t n;

    tls_stand_dial(0, TLS1_3_VERSION);
    tls_stand_dial(1, TLS1_3_VERSION);
    (void)stand_run(&stand);
    tls_stand_shake(0, 0);
    tls_peer_says(&peers[0], "x\n");
    n = tls_peer_takes(&peers[0], &bytes);
    tls_stand_send(0, bytes, n);
    context_command(stand.contexts[0], COMMAND_DRAIN);
    (void)stand_run(&stand);
    (void)tls_peer_hears(&peers[0], sockets[0]);
    ck_assert_str_eq(tls_peer_received(&peers[0]), "x\n$");
    tls_stand_hang_up(0);
    tls_stand_check_gone(1);
    ck_assert(worker_is_done(stand.workers[0]));
}
END_TEST

START_TEST(memory_runs_out)
{
    unsigned n = 1;

    for (bool failed = true; failed; n++) {
        tls_stand_dial(0, TLS1_3_VERSION);
        (void)tls_peer_shakes(&peers[0]);
        hooks_fail_allocation(n);
        tls_stand_transmit_only(0);
        (void)tls_peer_hears(&peers[0], sockets[0]);
        if (tls_peer_shakes(&peers[0]))
            tls_stand_transmit_only(0);
        failed = hooks_allocation_failed();
        tls_stand_hang_up(0);
        stand_pass(&stand, 20000);
        ck_assert_uint_eq(atomic_load(&stand.contexts[0]->n_connections), 0);
        ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
    }
    ck_assert_uint_ge(n, 3);
}
END_TEST

START_TEST(damaged_handshakes)
{
    uint64_t random = (uint64_t)_i + 1;

    for (int round = 0; round < 300; round++) {
        uint64_t before = counter_get(&counters->accepted);
        const unsigned char *bytes;
        unsigned char damaged[4096];
        size_t n;

        tls_stand_dial(0, versions[_i]);
        (void)tls_peer_shakes(&peers[0]);
        n = tls_peer_takes(&peers[0], &bytes);
        ck_assert_uint_le(n, sizeof damaged);
        memcpy(damaged, bytes, n);
        damaged[random_below(&random, n)] ^= (unsigned char)(1 << random_next(&random) % 8);
        if (random_next(&random) % 4 == 0)
            n = random_below(&random, n);
        (void)send(sockets[0], damaged, n, MSG_NOSIGNAL);
        (void)stand_run(&stand);
        (void)tls_peer_hears(&peers[0], sockets[0]);
        /* What is not protected, such as a version that nobody looks at, may have changed. */
        if (tls_peer_shakes(&peers[0]))
            tls_stand_transmit(0, 0);
        tls_stand_hang_up(0);
        (void)stand_run(&stand);
        ck_assert_uint_eq(counter_get(&counters->messages), 0);
        ck_assert_uint_le(counter_get(&counters->accepted), before + 1);
        ck_assert_uint_eq(atomic_load(&stand.contexts[0]->n_connections), 0);
        ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
    }
    ck_assert_uint_gt(hooks.logged[EVENT_TLS_REFUSED], 100);
}
END_TEST

START_TEST(a_close_ends_all)
{
    tls_stand_dial(0, TLS1_3_VERSION);
    tls_stand_dial(1, TLS1_3_VERSION);
    (void)tls_peer_shakes(&peers[0]);
    tls_stand_transmit(0, 0);
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("handshake");
    TCase *cases = tcase_create("handshake");

    tcase_add_unchecked_fixture(cases, tls_stand_make_files, tls_stand_remove_files);
    tcase_add_checked_fixture(cases, tls_stand_setup, tls_stand_teardown);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, what_is_no_handshake);
    tcase_add_test(cases, a_check_that_only_connects_is_not_logged);
    tcase_add_test(cases, a_handshake_has_a_deadline);
    tcase_add_test(cases, a_turn_has_a_budget);
    tcase_add_test(cases, a_limit_of_memory);
    tcase_add_test(cases, a_limit_in_flight);
    tcase_add_test(cases, the_oldest_gives_way);
    tcase_add_test(cases, whoever_gets_the_place_gives_way_too);
    tcase_add_loop_test(cases, the_next_one_ends_too, 0, 2);
    tcase_add_test(cases, behind_a_proxy);
    tcase_add_test(cases, a_silent_one_behind_a_proxy);
    tcase_add_test(cases, a_stop_answers_what_has_arrived);
    tcase_add_test(cases, memory_runs_out);
    tcase_add_loop_test(cases, damaged_handshakes, 0, 2);
    tcase_add_test(cases, a_close_ends_all);
    suite_add_tcase(suite, cases);
    return suite;
}
