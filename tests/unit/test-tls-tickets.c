/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "base/macros.h"
#include "net/tls-tickets.h"
#include "runner.h"
#include "tls-served.h"

#define HOUR 3600

static struct identity ca, own;
static uint64_t seconds;

static uint64_t now(void)
{
    return seconds;
}

static void setup(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    folder_make();
    ca = identity_new(&(struct recipe){ .name = "Test CA", .is_ca = true }, NULL);
    own = identity_new(&(struct recipe){ .name = "server" }, &ca);
    seconds = 5;
}

static void teardown(void)
{
    identity_free(&own);
    identity_free(&ca);
    folder_remove();
}

static SSL_CTX *use(struct tls_tickets *tickets)
{
    SSL_CTX *server = server_new(&own);

    ck_assert_ptr_nonnull(tickets);
    tls_tickets_use(tickets, server);
    return server;
}

/* A connection. session: to resume, or NULL; the one of this connection replaces it, if there is a
 * new one. Returns whether it was resumed. */
static bool visit(SSL_CTX *server, int version, SSL_SESSION **session, bool *ret_renewed)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *client, *s = SSL_new(server);
    SSL_SESSION *newer;
    int fds[2];
    char byte;
    bool resumed;

    (void)SSL_CTX_set_max_proto_version(context, version);
    client = SSL_new(context);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    ck_assert(SSL_set_fd(client, fds[0]) && SSL_set_fd(s, fds[1]));
    SSL_set_connect_state(client);
    SSL_set_accept_state(s);
    if (*session)
        ck_assert_int_eq(SSL_set_session(client, *session), 1);
    for (int i = 0; i < 4; i++) {
        (void)SSL_do_handshake(client);
        (void)SSL_do_handshake(s);
    }
    ck_assert_int_eq(SSL_write(s, "x", 1), 1);
    ck_assert_int_eq(SSL_read(client, &byte, 1), 1);
    resumed = SSL_session_reused(client);
    newer = SSL_get1_session(client);
    *ret_renewed = newer != *session;
    SSL_SESSION_free(*session);
    *session = newer;
    (void)SSL_shutdown(client);
    SSL_free(client);
    SSL_free(s);
    SSL_CTX_free(context);
    (void)close_fd(fds[0]);
    (void)close_fd(fds[1]);
    return resumed;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

/* A ticket of its first hour is taken for two more, and no longer. */
START_TEST(keys_rotate)
{
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        struct tls_tickets *tickets = tls_tickets_new(now);
        SSL_CTX *server = use(tickets);
        uint64_t began = seconds;

        for (int hours = 0; hours <= 4; hours++) {
            SSL_SESSION *session = NULL;
            bool renewed;

            seconds = began + (uint64_t)hours * 10 * HOUR;
            ck_assert(!visit(server, versions[i], &session, &renewed));
            seconds += (uint64_t)hours * HOUR;
            ck_assert_int_eq(visit(server, versions[i], &session, &renewed), hours < 3);
            /* In TLS 1.3 each ticket is used once. */
            ck_assert_int_eq(renewed, hours > 0 || versions[i] == TLS1_3_VERSION);
            ck_assert(visit(server, versions[i], &session, &renewed));
            SSL_SESSION_free(session);
        }
        SSL_CTX_free(server);
        tls_tickets_free(tickets);
    }
}
END_TEST

START_TEST(keys_belong_to_one_server)
{
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        struct tls_tickets *first = tls_tickets_new(now), *second = tls_tickets_new(now);
        SSL_CTX *server = use(first), *other = use(second);
        SSL_SESSION *session = NULL;
        bool renewed;

        ck_assert(!visit(server, versions[i], &session, &renewed));
        ck_assert(visit(server, versions[i], &session, &renewed));
        ck_assert(!visit(other, versions[i], &session, &renewed));
        ck_assert(visit(other, versions[i], &session, &renewed));
        SSL_SESSION_free(session);
        SSL_CTX_free(server);
        SSL_CTX_free(other);
        tls_tickets_free(first);
        tls_tickets_free(second);
    }
}
END_TEST

START_TEST(one_ticket_for_a_handshake)
{
    struct tls_tickets *tickets = tls_tickets_new(now);
    SSL_CTX *server = use(tickets);

    ck_assert_uint_eq(SSL_CTX_get_num_tickets(server), 1);
    ck_assert_int_eq(SSL_CTX_get_timeout(server), 2 * HOUR);
    SSL_CTX_free(server);
    tls_tickets_free(tickets);
}
END_TEST

/* After a reload, the same files make a server with other keys. */
START_TEST(a_new_server_resumes_nothing)
{
    struct tls_pair pair = { (char *)file_of_certificate("a.crt", &own),
                             (char *)file_of_key("a.key", &own, NULL) };
    const struct tls_settings settings = { .pairs = &pair, .n_pairs = 1 };
    SSL_SESSION *session = NULL;

    for (int round = 0; round < 2; round++) {
        struct tls_server *server = served_by(&settings);

        for (int i = 0; i < 2; i++) {
            struct served s;

            served_open(&s, server, &ca);
            (void)served_shake(&s, session);
            ck_assert(served_well(&s));
            ck_assert_int_eq(SSL_session_reused(s.client), i);
            SSL_SESSION_free(session);
            session = SSL_get1_session(s.client);
            served_close(&s);
        }
        tls_server_unref(server);
    }
    SSL_SESSION_free(session);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tls-tickets");
    TCase *cases = tcase_create("tls-tickets");

    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, keys_rotate);
    tcase_add_test(cases, keys_belong_to_one_server);
    tcase_add_test(cases, one_ticket_for_a_handshake);
    tcase_add_test(cases, a_new_server_resumes_nothing);
    suite_add_tcase(suite, cases);
    return suite;
}
