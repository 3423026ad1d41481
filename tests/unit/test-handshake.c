/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/address.h"
#include "protocol/proxy-header.h"
#include "runner.h"
#include "serve/preface.h"
#include "stand.h"
#include "tls-peer.h"

#define CLIENTS 12

static struct tls_files files;
static struct stand stand;
static struct counters *counters;
static int listener;
static int sockets[CLIENTS];
static struct tls_peer peers[CLIENTS];
static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void make_files(void)
{
    tls_files_make(&files);
}

static void remove_files(void)
{
    tls_files_remove(&files);
}

static void use_tls(void)
{
    struct tls_pair pair = { files.certificate, files.key };
    struct tls_settings settings = {
        .pairs = &pair,
        .n_pairs = 1,
        .min_version = TLS1_2_VERSION,
        .handshake_ms = 10000,
        .max_handshakes = 1000,
    };
    char *error = NULL;

    ck_assert_msg(tls_server_new(&settings, &stand.settings->tls, &error) == 0, "%s", error);
    stand.settings->handshake_ms = settings.handshake_ms;
    stand.settings->max_handshakes = settings.max_handshakes;
}

/* A UNIX socket: what is sent has arrived at once. */
static int listen_unix(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    ck_assert_int_ge(fd, 0);
    /* The kernel chooses an abstract name (unix(7)). */
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(listen(fd, 1024), 0);
    return fd;
}

static int dial_unix(void)
{
    struct sockaddr_any address = { .size = sizeof address.storage };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(getsockname(listener, &address.sa, &address.size), 0);
    ck_assert_int_eq(connect(fd, &address.sa, address.size), 0);
    return fd;
}

static void setup(void)
{
    struct worker_plan *plan = calloc(1, sizeof *plan + sizeof(struct acceptor *));

    stand_begin(&stand, 1);
    use_tls();
    counters = &stand.contexts[0]->counters;
    listener = listen_unix();
    ck_assert_ptr_nonnull(plan);
    plan->n = 1;
    plan->acceptors[0] = acceptor_new(listener, "here", stand.settings);
    ck_assert_ptr_nonnull(plan->acceptors[0]);
    worker_send_plan(stand.workers[0], plan);
    worker_turn(stand.workers[0]);
    for (int i = 0; i < CLIENTS; i++)
        sockets[i] = -1;
}

static void hang_up(int i)
{
    sockets[i] = close_fd(sockets[i]);
    tls_peer_end(&peers[i]);
}

static void teardown(void)
{
    for (int i = 0; i < CLIENTS; i++)
        hang_up(i);
    stand_end(&stand);
    listener = close_fd(listener);
}

static void dial(int i, int version)
{
    hang_up(i);
    sockets[i] = dial_unix();
    tls_peer_begin(&peers[i], version);
}

static void send_bytes(int i, const unsigned char *bytes, size_t n)
{
    ck_assert_int_eq(send(sockets[i], bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Sends what the client has to send. cut: after so many bytes the worker gets its turns. */
static void transmit(int i, size_t cut)
{
    const unsigned char *bytes;
    size_t n = tls_peer_takes(&peers[i], &bytes);

    if (cut > 0 && cut < n) {
        send_bytes(i, bytes, cut);
        (void)stand_run(&stand);
        bytes += cut;
        n -= cut;
    }
    if (n > 0)
        send_bytes(i, bytes, n);
    (void)stand_run(&stand);
    (void)tls_peer_hears(&peers[i], sockets[i]);
}

/* The whole handshake. The last part of it is still to be sent, with what comes next. */
static void shake(int i, size_t cut)
{
    for (int steps = 0; !tls_peer_shakes(&peers[i]); steps++) {
        ck_assert_int_lt(steps, 5);
        transmit(i, cut);
    }
}

static void check_gone(int i)
{
    (void)stand_run(&stand);
    ck_assert(!tls_peer_hears(&peers[i], sockets[i]));
    ck_assert_uint_eq(atomic_load(&stand.contexts[0]->n_connections), 0);
    ck_assert_ptr_null(stand.contexts[0]->prefaces);
}

START_TEST(cut_anywhere)
{
    const unsigned char *bytes;
    size_t longest = 0, n;

    tls_peer_begin(&peers[0], versions[_i]);
    (void)tls_peer_shakes(&peers[0]);
    longest = tls_peer_takes(&peers[0], &bytes) + 1;
    for (n = 1; n < longest; n++) {
        dial(0, versions[_i]);
        shake(0, n);
        tls_peer_says(&peers[0], "one\ntwo\n");
        transmit(0, n);
        ck_assert_str_eq(tls_peer_received(&peers[0]), "one\ntwo\n");
        tls_peer_says(&peers[0], "three\n");
        (void)SSL_shutdown(peers[0].ssl);
        transmit(0, n);
        ck_assert_str_eq(tls_peer_received(&peers[0]), "three\n$");
        check_gone(0);
        ck_assert_uint_eq(counter_get(&counters->accepted), n);
    }
    ck_assert_uint_eq(hooks.logged[EVENT_TLS_REFUSED], 0);
    ck_assert_uint_eq(counter_get(&counters->messages), 3 * (n - 1));
}
END_TEST

START_TEST(byte_by_byte)
{
    const unsigned char *bytes;
    size_t n;

    dial(0, versions[_i]);
    shake(0, 1);
    for (const char *c = "a\nbc\n"; *c; c++)
        tls_peer_says(&peers[0], (char[]){ *c, '\0' });
    n = tls_peer_takes(&peers[0], &bytes);
    for (size_t j = 0; j < n; j++) {
        send_bytes(0, bytes + j, 1);
        (void)stand_run(&stand);
    }
    (void)tls_peer_hears(&peers[0], sockets[0]);
    ck_assert_str_eq(tls_peer_received(&peers[0]), "a\nbc\n");
}
END_TEST

/* A stream without close_notify may have been cut by anybody. */
START_TEST(only_a_close_notify_ends_a_last_message)
{
    for (int orderly = 0; orderly < 2; orderly++) {
        dial(0, versions[_i]);
        shake(0, 0);
        tls_peer_says(&peers[0], "whole\npart");
        if (orderly)
            (void)SSL_shutdown(peers[0].ssl);
        transmit(0, 0);
        ck_assert_int_eq(shutdown(sockets[0], SHUT_WR), 0);
        (void)stand_run(&stand);
        (void)tls_peer_hears(&peers[0], sockets[0]);
        ck_assert_str_eq(tls_peer_received(&peers[0]), orderly ? "whole\npart\n$" : "whole\n$");
        check_gone(0);
        ck_assert_uint_eq(counter_get(&counters->messages), orderly ? 3 : 1);
    }
}
END_TEST

START_TEST(what_is_no_handshake)
{
    static const char *const texts[] = { "hello\n", "GET / HTTP/1.1\r\n\r\n",
                                         "\x16\x03\x01\xff\xff", "PROXY UNKNOWN\r\n" };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        dial(0, TLS1_3_VERSION);
        stand_say(sockets[0], texts[i]);
        (void)stand_run(&stand);
        ck_assert_int_eq(shutdown(sockets[0], SHUT_WR), 0);
        check_gone(0);
        ck_assert_uint_eq(hooks.logged[EVENT_TLS_REFUSED], i + 1);
        ck_assert_uint_eq(counter_get(&counters->refused), i + 1);
    }
    ck_assert_uint_eq(counter_get(&counters->accepted), 0);
    ck_assert_uint_eq(counter_get(&counters->messages), 0);
}
END_TEST

START_TEST(a_check_that_only_connects_is_not_logged)
{
    dial(0, TLS1_3_VERSION);
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
    dial(0, TLS1_3_VERSION);
    (void)tls_peer_shakes(&peers[0]);
    transmit(0, 0);
    stand_pass(&stand, 9999);
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 0);
    stand_pass(&stand, 2);
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 1);
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
    check_gone(0);
}
END_TEST

/* All at once: each turn takes only some of them, and none is forgotten. */
START_TEST(a_turn_has_a_budget)
{
    const unsigned char *bytes;
    unsigned turns = 0;

    for (int i = 0; i < CLIENTS; i++) {
        size_t n;

        dial(i, TLS1_3_VERSION);
        (void)tls_peer_shakes(&peers[i]);
        n = tls_peer_takes(&peers[i], &bytes);
        send_bytes(i, bytes, n);
    }
    while (stand.contexts[0]->handshakes.n < CLIENTS && turns < 1000) {
        worker_turn(stand.workers[0]);
        turns++;
        ck_assert_uint_le(stand.contexts[0]->handshakes.steps, 4);
    }
    (void)stand_run(&stand);
    for (int i = 0; i < CLIENTS; i++) {
        (void)tls_peer_hears(&peers[i], sockets[i]);
        shake(i, 0);
        tls_peer_says(&peers[i], "x\n");
    }
    for (int i = 0; i < CLIENTS; i++) {
        transmit(i, 0);
        ck_assert_str_eq(tls_peer_received(&peers[i]), "x\n");
    }
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
}
END_TEST

/* Beyond the limit they wait; and who says nothing takes no place. */
START_TEST(a_limit_in_flight)
{
    stand.settings->max_handshakes = 1;
    for (int i = 0; i < 4; i++)
        dial(i, TLS1_3_VERSION);
    (void)stand_run(&stand);
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
    for (int i = 1; i < 4; i++) {
        (void)tls_peer_shakes(&peers[i]);
        transmit(i, 0);
        ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 1);
    }
    /* The second in the line goes. */
    sockets[2] = close_fd(sockets[2]);
    (void)stand_run(&stand);
    shake(1, 0);
    tls_peer_says(&peers[1], "x\n");
    transmit(1, 0);
    ck_assert_str_eq(tls_peer_received(&peers[1]), "x\n");
    /* The place went on. */
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 1);
    (void)tls_peer_hears(&peers[3], sockets[3]);
    shake(3, 0);
    tls_peer_says(&peers[3], "y\n");
    transmit(3, 0);
    ck_assert_str_eq(tls_peer_received(&peers[3]), "y\n");
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
    ck_assert_ptr_null(stand.contexts[0]->handshakes.waiters.first);
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

        dial(0, TLS1_3_VERSION);
        (void)tls_peer_shakes(&peers[0]);
        memcpy(all, header, n);
        n += tls_peer_takes(&peers[0], &bytes);
        ck_assert_uint_le(n, sizeof all);
        memcpy(all + sizeof header - 1, bytes, n - (sizeof header - 1));
        send_bytes(0, all, cut);
        (void)stand_run(&stand);
        send_bytes(0, all + cut, n - cut);
        (void)stand_run(&stand);
        (void)tls_peer_hears(&peers[0], sockets[0]);
        shake(0, 0);
        tls_peer_says(&peers[0], "x\n");
        transmit(0, 0);
        ck_assert_str_eq(tls_peer_received(&peers[0]), "x\n");
        ck_assert_mem_eq(stand_last(&stand, 0)->transport.peer.address + 12, "\xc0\0\2\7", 4);
        ck_assert_ptr_nonnull(connection_origin(stand_last(&stand, 0)));
        hang_up(0);
        (void)stand_run(&stand);
    }
}
END_TEST

START_TEST(a_stop_answers_what_has_arrived)
{
    const unsigned char *bytes;
    size_t n;

    dial(0, TLS1_3_VERSION);
    dial(1, TLS1_3_VERSION);
    (void)stand_run(&stand);
    shake(0, 0);
    tls_peer_says(&peers[0], "x\n");
    n = tls_peer_takes(&peers[0], &bytes);
    send_bytes(0, bytes, n);
    context_command(stand.contexts[0], COMMAND_DRAIN);
    (void)stand_run(&stand);
    (void)tls_peer_hears(&peers[0], sockets[0]);
    ck_assert_str_eq(tls_peer_received(&peers[0]), "x\n$");
    hang_up(0);
    check_gone(1);
    ck_assert(worker_is_done(stand.workers[0]));
}
END_TEST

/* A peer that asks for new keys has to be answered, even if it takes nothing. */
START_TEST(key_updates_without_end)
{
    dial(0, TLS1_3_VERSION);
    shake(0, 0);
    transmit(0, 0);
    for (int i = 0; i < 2000; i++) {
        const unsigned char *bytes;
        size_t n;

        ck_assert_int_eq(SSL_key_update(peers[0].ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        ck_assert_int_eq(SSL_do_handshake(peers[0].ssl), 1);
        n = tls_peer_takes(&peers[0], &bytes);
        if (send(sockets[0], bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
            break;
        (void)stand_run(&stand);
    }
    hang_up(0);
    (void)stand_run(&stand);
    ck_assert_uint_eq(atomic_load(&stand.contexts[0]->n_connections), 0);
}
END_TEST

START_TEST(no_renegotiation)
{
    dial(0, TLS1_2_VERSION);
    shake(0, 0);
    transmit(0, 0);
    ck_assert_int_eq(SSL_renegotiate(peers[0].ssl), 1);
    (void)SSL_do_handshake(peers[0].ssl);
    transmit(0, 0);
    ck_assert_str_eq(tls_peer_received(&peers[0]), "!");
    ck_assert_uint_eq(counter_get(&counters->accepted), 1);
}
END_TEST

/* Sends what the client has to send, and does not listen. */
static void transmit_only(int i)
{
    const unsigned char *bytes;
    size_t n = tls_peer_takes(&peers[i], &bytes);

    /* Without an assertion: those of Check allocate memory. */
    (void)send(sockets[i], bytes, n, MSG_NOSIGNAL);
    (void)stand_run(&stand);
}

/* The end of the stream waits for room, like all before it. */
START_TEST(a_close_notify_without_room)
{
    unsigned waited = 0;
    struct connection *c;
    char line[8192];

    for (size_t size = 1000; size < sizeof line; size += 97) {
        memset(line, 'x', size - 1);
        strcpy(line + size - 1, "\n");
        dial(0, versions[_i]);
        shake(0, 0);
        transmit(0, 0);
        c = stand_last(&stand, 0);
        ck_assert_int_eq(
            setsockopt(c->transport.source.fd, SOL_SOCKET, SO_SNDBUF, &(int){ 1 }, sizeof(int)), 0);
        for (int i = 0; i < 10; i++) {
            tls_peer_says(&peers[0], line);
            transmit_only(0);
        }
        (void)SSL_shutdown(peers[0].ssl);
        transmit_only(0);
        for (int i = 0; i < 1000 && tls_peer_hears(&peers[0], sockets[0]); i++) {
            (void)stand_run(&stand);
            c = stand_last(&stand, 0);
            waited += c && c->transport.owner_flags & CONNECTION_ENDING;
        }
        ck_assert_uint_eq(strlen(tls_peer_received(&peers[0])), 10 * size + 1);
        check_gone(0);
    }
    ck_assert_uint_gt(waited, 0);
}
END_TEST

START_TEST(memory_runs_out)
{
    unsigned n = 1;

    for (bool failed = true; failed; n++) {
        dial(0, TLS1_3_VERSION);
        (void)tls_peer_shakes(&peers[0]);
        hooks_fail_allocation(n);
        transmit_only(0);
        (void)tls_peer_hears(&peers[0], sockets[0]);
        if (tls_peer_shakes(&peers[0]))
            transmit_only(0);
        failed = hooks_allocation_failed();
        hang_up(0);
        stand_pass(&stand, 20000);
        ck_assert_uint_eq(atomic_load(&stand.contexts[0]->n_connections), 0);
        ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 0);
    }
    ck_assert_uint_ge(n, 3);
}
END_TEST

START_TEST(a_close_ends_all)
{
    dial(0, TLS1_3_VERSION);
    dial(1, TLS1_3_VERSION);
    (void)tls_peer_shakes(&peers[0]);
    transmit(0, 0);
    ck_assert_uint_eq(stand.contexts[0]->handshakes.n, 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("handshake");
    TCase *cases = tcase_create("handshake");

    tcase_add_unchecked_fixture(cases, make_files, remove_files);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, cut_anywhere, 0, 2);
    tcase_add_loop_test(cases, byte_by_byte, 0, 2);
    tcase_add_loop_test(cases, only_a_close_notify_ends_a_last_message, 0, 2);
    tcase_add_test(cases, what_is_no_handshake);
    tcase_add_test(cases, a_check_that_only_connects_is_not_logged);
    tcase_add_test(cases, a_handshake_has_a_deadline);
    tcase_add_test(cases, a_turn_has_a_budget);
    tcase_add_test(cases, a_limit_in_flight);
    tcase_add_test(cases, behind_a_proxy);
    tcase_add_test(cases, a_stop_answers_what_has_arrived);
    tcase_add_test(cases, key_updates_without_end);
    tcase_add_test(cases, no_renegotiation);
    tcase_add_loop_test(cases, a_close_notify_without_room, 0, 2);
    tcase_add_test(cases, memory_runs_out);
    tcase_add_test(cases, a_close_ends_all);
    suite_add_tcase(suite, cases);
    return suite;
}
