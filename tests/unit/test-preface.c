/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "protocol/proxy-header.h"
#include "runner.h"
#include "serve/preface.h"
#include "stand.h"

#define V2(rest) "\r\n\r\n\0\r\nQUIT\n" rest

static const struct header {
    const char *bytes;
    size_t size;
} headers[] = {
#define HEADER(text)                                                                               \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    HEADER("PROXY TCP4 192.0.2.7 192.0.2.1 40000 8080\r\n"),
    HEADER("PROXY TCP6 2001:db8::7 2001:db8::1 40000 8080\r\n"),
    HEADER("PROXY UNKNOWN\r\n"),
    HEADER(V2("\x21\x11\0\x0c\xc0\0\2\7\xc0\0\2\1\x9c\x40\x1f\x90")),
    HEADER(V2("\x21\x11\0\x14\xc0\0\2\7\xc0\0\2\1\x9c\x40\x1f\x90\5\0\5proxy")),
    HEADER(V2("\x20\0\0\0")),
};

enum { LINE = 0, BINARY = 3, LOCAL = 5 };

static struct stand stand;
static struct counters *counters;
static int listener, client;

static void setup(void)
{
    struct worker_plan *plan = calloc(1, sizeof *plan + sizeof(struct acceptor *));

    stand_begin(&stand, 1);
    counters = &stand.contexts[0]->counters;
    listener = stand_listen();
    hooks.patience_ms = 20;
    stand.settings->proxy = PROXY_V1 | PROXY_V2;
    stand.settings->message_ms = 30000;
    ck_assert_int_eq(prefix_list_parse("127.0.0.0/8", &stand.settings->proxy_from), 0);
    ck_assert_ptr_nonnull(plan);
    plan->n = 1;
    plan->acceptors[0] = acceptor_new(listener, "here", stand.settings);
    ck_assert_ptr_nonnull(plan->acceptors[0]);
    worker_send_plan(stand.workers[0], plan);
    worker_turn(stand.workers[0]);
    client = -1;
}

static void teardown(void)
{
    client = close_fd(client);
    stand_end(&stand);
    listener = close_fd(listener);
}

static void dial(void)
{
    client = close_fd(client);
    client = stand_dial(listener);
}

static void say(const void *bytes, size_t n)
{
    ck_assert_int_eq(send(client, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
    (void)stand_run(&stand);
}

static void say_header(const struct header *h)
{
    say(h->bytes, h->size);
}

static unsigned refusals(void)
{
    return hooks.logged[EVENT_PROXY_REFUSED];
}

/* It ends the connection: with a reset, if not all was read. */
static void check_ended(void)
{
    const char *heard = stand_hear(client);

    ck_assert_msg(strcmp(heard, "$") == 0 || strcmp(heard, "!") == 0, "%s", heard);
    ck_assert_uint_eq(atomic_load(&stand.contexts[0]->n_connections), 0);
    ck_assert_ptr_null(stand.contexts[0]->prefaces);
}

START_TEST(cut_anywhere)
{
    const struct header *h = &headers[_i];

    for (size_t cut = 0; cut <= h->size; cut++) {
        dial();
        if (cut > 0)
            say(h->bytes, cut);
        ck_assert_uint_eq(counter_get(&counters->accepted), cut < h->size ? cut : cut + 1);
        if (cut < h->size)
            say(h->bytes + cut, h->size - cut);
        ck_assert_uint_eq(counter_get(&counters->accepted), cut + 1);
        say("x\n", 2);
        ck_assert_str_eq(stand_hear(client), "x\n");
        ck_assert_uint_eq(counter_get(&counters->messages), cut + 1);
    }
    ck_assert_uint_eq(refusals(), 0);
}
END_TEST

START_TEST(byte_by_byte_with_messages_behind_it)
{
    const struct header *h = &headers[_i];

    dial();
    for (size_t i = 0; i < h->size; i++)
        say(h->bytes + i, 1);
    say("a\nb", 3);
    ck_assert_str_eq(stand_hear(client), "a\n");
    dial();
    ck_assert_int_eq(send(client, h->bytes, h->size, MSG_NOSIGNAL | MSG_MORE), (ssize_t)h->size);
    say("c\nPROXY UNKNOWN\r\n", 17);
    ck_assert_str_eq(stand_hear(client), "c\nPROXY UNKNOWN\r\n");
    ck_assert_uint_eq(refusals(), 0);
}
END_TEST

START_TEST(the_client_is_the_one_that_the_header_names)
{
    struct connection *c;

    dial();
    say_header(&headers[4]);
    ck_assert_uint_eq(stand.contexts[0]->n_live, 1);
    c = stand_last(&stand, 0);
    ck_assert_ptr_nonnull(c);
    ck_assert_mem_eq(c->transport.peer.address + 12, "\xc0\0\2\7", 4);
    ck_assert_uint_eq(c->transport.peer.port, 40000);
    ck_assert_ptr_nonnull(connection_origin(c));
    ck_assert_str_eq(connection_origin(c)->proxy, "127.0.0.1");
    ck_assert_str_eq(connection_origin(c)->proxy_id, "proxy");
    ck_assert_str_eq(connection_origin(c)->identity, "");
    dial();
    say_header(&headers[LOCAL]);
    c = stand_last(&stand, 0);
    ck_assert_ptr_nonnull(c);
    ck_assert_mem_eq(c->transport.peer.address + 12, "\x7f\0\0\1", 4);
    ck_assert_ptr_null(connection_origin(c));
}
END_TEST

/* It is never taken for a message, and gets no reply. */
START_TEST(no_header_no_connection)
{
    static const struct header wrong[] = {
        HEADER("hello\n"),
        HEADER("PROXY TCP4 192.0.2.7\r\nhello\n"),
        HEADER("\r\n"
               "hello\n"),
        HEADER(V2("\x21\x12\0\0hello\n")),
        HEADER("GET / HTTP/1.1\r\n\r\n"),
    };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        dial();
        say_header(&wrong[i]);
        check_ended();
        ck_assert_uint_eq(refusals(), i + 1);
        ck_assert_uint_eq(counter_get(&counters->refused), i + 1);
    }
    ck_assert_uint_eq(counter_get(&counters->accepted), 0);
    ck_assert_uint_eq(counter_get(&counters->messages), 0);
}
END_TEST

START_TEST(a_check_that_only_connects_is_not_logged)
{
    dial();
    (void)stand_run(&stand);
    client = close_fd(client);
    (void)stand_run(&stand);
    ck_assert_ptr_null(stand.contexts[0]->prefaces);
    ck_assert_uint_eq(refusals(), 0);
    ck_assert_uint_eq(atomic_load(&stand.contexts[0]->n_connections), 0);
}
END_TEST

START_TEST(the_stream_ends_within_a_header)
{
    dial();
    say(headers[LINE].bytes, 10);
    ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
    (void)stand_run(&stand);
    check_ended();
    ck_assert_uint_eq(refusals(), 1);
}
END_TEST

/* As nc does: the header, a message, and the end of the stream at once. */
START_TEST(the_stream_ends_behind_a_header)
{
    dial();
    ck_assert_int_eq(send(client, headers[BINARY].bytes, headers[BINARY].size, MSG_MORE),
                     (ssize_t)headers[BINARY].size);
    ck_assert_int_eq(send(client, "x\n", 2, 0), 2);
    ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(client), "x\n$");
    ck_assert_uint_eq(refusals(), 0);
}
END_TEST

START_TEST(a_header_that_comes_too_late)
{
    dial();
    say(headers[LINE].bytes, 10);
    stand_pass(&stand, 29000);
    say(headers[LINE].bytes + 10, 10);
    ck_assert_str_eq(stand_hear(client), "");
    stand_pass(&stand, 2000);
    check_ended();
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 1);
    ck_assert_uint_eq(counter_get(&counters->timeouts), 1);
}
END_TEST

START_TEST(a_header_from_a_stranger)
{
    free(STEAL_PTR(stand.settings->proxy_from));
    ck_assert_int_eq(prefix_list_parse("10.0.0.0/8", &stand.settings->proxy_from), 0);
    dial();
    (void)stand_run(&stand);
    check_ended();
    ck_assert_uint_eq(refusals(), 1);
    ck_assert_uint_eq(counter_get(&counters->refused), 1);
}
END_TEST

/* Allow= and Deny= are about the client: proxies have ProxyFrom=. */
START_TEST(a_client_that_is_not_allowed)
{
    ck_assert_int_eq(prefix_list_parse("192.0.2.0/24 127.0.0.1", &stand.settings->deny), 0);
    dial();
    say_header(&headers[LINE]);
    ck_assert_str_eq(stand_hear(client), "error: your address is not allowed\n$");
    ck_assert_uint_eq(hooks.logged[EVENT_NOT_ALLOWED], 1);
    dial();
    say_header(&headers[1]);
    say("x\n", 2);
    ck_assert_str_eq(stand_hear(client), "x\n");
}
END_TEST

START_TEST(the_limit_per_address_counts_the_client)
{
    int first;

    atomic_store(&stand.shared.addresses.max, 1);
    dial();
    say_header(&headers[LINE]);
    first = client;
    client = -1;
    dial();
    say_header(&headers[BINARY]); /* the same client */
    ck_assert_str_eq(stand_hear(client), "error: too many connections from your address\n$");
    for (int i = 0; i < 3; i++) { /* the proxy itself is not counted */
        dial();
        say_header(&headers[LOCAL]);
        say("x\n", 2);
        ck_assert_str_eq(stand_hear(client), "x\n");
    }
    (void)close(first);
    (void)stand_run(&stand);
    dial();
    say_header(&headers[BINARY]);
    say("x\n", 2);
    ck_assert_str_eq(stand_hear(client), "x\n");
}
END_TEST

START_TEST(a_stop_answers_what_has_arrived)
{
    int other = stand_dial(listener);

    dial();
    (void)stand_run(&stand);
    ck_assert_int_eq(send(client, headers[BINARY].bytes, headers[BINARY].size, MSG_MORE),
                     (ssize_t)headers[BINARY].size);
    ck_assert_int_eq(send(client, "x\n", 2, 0), 2);
    context_command(stand.contexts[0], COMMAND_DRAIN);
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_hear(client), "x\n$");
    client = close_fd(client);
    client = other;
    (void)stand_run(&stand);
    check_ended();
    ck_assert(worker_is_done(stand.workers[0]));
    ck_assert_uint_eq(refusals(), 0);
}
END_TEST

START_TEST(memory_runs_out)
{
    unsigned n = 1;

    for (bool failed = true; failed; n++) {
        dial();
        hooks_fail_allocation(n);
        (void)stand_run(&stand);
        (void)send(client, headers[4].bytes, headers[4].size, MSG_NOSIGNAL);
        (void)stand_run(&stand);
        failed = hooks_allocation_failed();
        client = close_fd(client);
        stand_pass(&stand, 10000);
        ck_assert_uint_eq(atomic_load(&stand.contexts[0]->n_connections), 0);
    }
    ck_assert_uint_gt(n, 3);
}
END_TEST

START_TEST(a_close_ends_all)
{
    dial();
    (void)stand_run(&stand);
    ck_assert_ptr_nonnull(stand.contexts[0]->prefaces);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("preface");
    TCase *cases = tcase_create("preface");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_loop_test(cases, cut_anywhere, 0, (int)ARRAY_SIZE(headers));
    tcase_add_loop_test(cases, byte_by_byte_with_messages_behind_it, 0, (int)ARRAY_SIZE(headers));
    tcase_add_test(cases, the_client_is_the_one_that_the_header_names);
    tcase_add_test(cases, no_header_no_connection);
    tcase_add_test(cases, a_check_that_only_connects_is_not_logged);
    tcase_add_test(cases, the_stream_ends_within_a_header);
    tcase_add_test(cases, the_stream_ends_behind_a_header);
    tcase_add_test(cases, a_header_that_comes_too_late);
    tcase_add_test(cases, a_header_from_a_stranger);
    tcase_add_test(cases, a_client_that_is_not_allowed);
    tcase_add_test(cases, the_limit_per_address_counts_the_client);
    tcase_add_test(cases, a_stop_answers_what_has_arrived);
    tcase_add_test(cases, memory_runs_out);
    tcase_add_test(cases, a_close_ends_all);
    suite_add_tcase(suite, cases);
    return suite;
}
