/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/transport.h"
#include "runner.h"
#include "stand.h"

enum { UNIX, TCP };

static struct loop loop;
static struct transport transport;
static int peer;
static char bytes[1 << 20];
static int send_error; /* errno of the next send; 0: it succeeds */

/* The one that net/socket.h calls, which always has six arguments (ld(1), --wrap). */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list arguments;

    va_start(arguments, number);
    for (size_t i = 0; i < ARRAY_SIZE(a); i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number != SYS_sendto || send_error == 0)
        return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    errno = send_error;
    send_error = 0;
    return -1;
}

static void setup(void)
{
    hooks_reset();
    ck_assert_int_eq(loop_init(&loop), 0);
}

static void teardown(void)
{
    transport_close(&transport, false);
    peer = close_fd(peer);
    loop_deinit(&loop);
}

static void connect_unix(void)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    transport_init(&transport, fds[0], 3, &(struct peer){ .is_unix = true }, true);
    peer = fds[1];
}

static void connect_tcp(void)
{
    int listener = stand_listen(), fd;

    peer = stand_dial(listener);
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    (void)close(listener);
    transport_init(&transport, fd, 3, &(struct peer){ .port = 1 }, false);
}

static void connect_some(int kind)
{
    if (kind == UNIX)
        connect_unix();
    else
        connect_tcp();
    ck_assert_int_eq(transport_register(&transport, &loop, false), 0);
}

/* Events from the loop, for which TCP needs a moment. 0: none. */
static int turn(void)
{
    int ready = 0;

    hooks.patience_ms = transport.peer.is_unix ? 0 : 50;
    ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), 0);
    for (struct source *s; (s = loop_next(&loop));) {
        ck_assert_ptr_eq(s, &transport.source);
        ready = s->ready;
    }
    return ready;
}

static void check_recv(const char *expected)
{
    ssize_t n = transport_recv(&transport, bytes, sizeof bytes);

    ck_assert_int_eq(n, (ssize_t)strlen(expected));
    ck_assert_mem_eq(bytes, expected, (size_t)n);
}

START_TEST(begins_ready_to_send)
{
    connect_unix();
    ck_assert_int_eq(transport.source.kind, 3);
    ck_assert_int_eq(transport.source.state, 0);
    ck_assert(!transport_readable(&transport));
    ck_assert(!transport_is_broken(&transport));
    ck_assert_uint_eq(transport_send(&transport, &loop, "hello", 5), 5);
    ck_assert_str_eq(stand_hear(peer), "hello");
    ck_assert_int_eq(transport.flags & ~TRANSPORT_UNIX, 0);
    transport_mark(&transport);
    ck_assert_int_eq(transport.flags & ~TRANSPORT_UNIX, TRANSPORT_OUT_UNUSED);
    ck_assert_uint_eq(transport_send(&transport, &loop, "again", 5), 5);
    ck_assert_int_eq(transport.flags & ~TRANSPORT_UNIX, 0);
}
END_TEST

/* After a short read, TCP needs no second read, but a UNIX stream does: unix(7), credentials. */
START_TEST(receives_until_there_is_no_more)
{
    connect_some(_i);
    (void)turn();
    stand_say(peer, "one");
    ck_assert_int_ne(turn() & READY_IN, 0);
    ck_assert(transport_readable(&transport));
    check_recv("one");
    ck_assert_int_eq(transport_readable(&transport), _i == UNIX);
    if (_i == UNIX) {
        ck_assert_int_eq(transport_recv(&transport, bytes, 1), -EAGAIN);
        ck_assert(!transport_readable(&transport));
    }
    ck_assert_int_ne(transport.source.ready & READY_OUT, 0);
    stand_say(peer, "two");
    (void)turn();
    /* Less than there is: still ready. */
    ck_assert_int_eq(transport_recv(&transport, bytes, 2), 2);
    ck_assert(transport_readable(&transport));
    check_recv("o");
}
END_TEST

/* And reports it without taking it. */
START_TEST(knows_whether_there_is_more)
{
    connect_some(_i);
    ck_assert(!transport_has_bytes(&transport));
    stand_say(peer, "one");
    while (!(turn() & READY_IN))
        ;
    ck_assert(transport_has_bytes(&transport));
    check_recv("one");
    ck_assert(!transport_has_bytes(&transport));
    ck_assert(!transport_readable(&transport));
    stand_say(peer, "two");
    while (!(turn() & READY_IN))
        ;
    ck_assert(transport_has_bytes(&transport));
    check_recv("two");
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    while (!(turn() & READY_RDHUP))
        ;
    ck_assert(transport_is_ending(&transport));
    ck_assert(!transport_has_bytes(&transport));
    ck_assert(transport_readable(&transport));
    ck_assert_int_eq(transport_recv(&transport, bytes, 1), 0);
    ck_assert(!transport_readable(&transport));
}
END_TEST

START_TEST(recheck_finds_what_no_edge_reported)
{
    connect_unix();
    stand_say(peer, "one");
    ck_assert(!transport_readable(&transport));
    transport_recheck(&transport);
    ck_assert(transport_readable(&transport));
    check_recv("one");
}
END_TEST

/* The end comes after everything sent before it. */
START_TEST(the_incoming_direction_ends)
{
    connect_some(_i);
    stand_say(peer, "last");
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    while (!(turn() & READY_RDHUP))
        ;
    check_recv("last");
    ck_assert(transport_readable(&transport));
    ck_assert_int_eq(transport.flags & TRANSPORT_IN_ENDED, 0);
    ck_assert_int_eq(transport_recv(&transport, bytes, 1), 0);
    ck_assert_int_eq(transport.flags & ~TRANSPORT_UNIX, TRANSPORT_IN_ENDED);
    ck_assert(!transport_readable(&transport));
    /* The other direction continues. */
    ck_assert_uint_eq(transport_send(&transport, &loop, "reply", 5), 5);
}
END_TEST

static void reset_peer(void)
{
    struct linger now = { .l_onoff = 1 };

    ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    peer = close_fd(peer);
}

/* Received data survives a reset: tcp(7). */
START_TEST(the_incoming_direction_is_cut)
{
    connect_some(TCP);
    stand_say(peer, "last");
    ck_assert_int_ne(turn() & READY_IN, 0);
    reset_peer();
    while (!(turn() & READY_ERR))
        ;
    ck_assert(transport_is_broken(&transport));
    check_recv("last");
    ck_assert_int_eq(transport_recv(&transport, bytes, 1), 0);
    ck_assert_int_eq(transport.flags & ~TRANSPORT_UNIX, TRANSPORT_IN_ENDED | TRANSPORT_IN_CUT |
                                                            TRANSPORT_OUT_ENDED |
                                                            TRANSPORT_OUT_FAILED);
}
END_TEST

/* The kernel reports it once, to the first caller. */
START_TEST(a_look_reports_the_cut)
{
    connect_some(TCP);
    reset_peer();
    while (!(turn() & READY_ERR))
        ;
    ck_assert(!transport_has_bytes(&transport));
    ck_assert_int_eq(transport_recv(&transport, bytes, 1), 0);
    ck_assert_int_eq(transport.flags & ~TRANSPORT_UNIX, TRANSPORT_IN_ENDED | TRANSPORT_IN_CUT |
                                                            TRANSPORT_OUT_ENDED |
                                                            TRANSPORT_OUT_FAILED);
}
END_TEST

/* The sender may see the reset. The stream is still cut. */
START_TEST(a_send_reports_the_cut)
{
    connect_some(TCP);
    stand_say(peer, "last");
    ck_assert_int_ne(turn() & READY_IN, 0);
    reset_peer();
    while (!(turn() & READY_ERR))
        ;
    ck_assert_uint_eq(transport_send(&transport, &loop, "reply", 5), 0);
    ck_assert_int_eq(transport.flags & ~TRANSPORT_UNIX,
                     TRANSPORT_IN_CUT | TRANSPORT_OUT_ENDED | TRANSPORT_OUT_FAILED);
    check_recv("last");
    ck_assert_int_eq(transport_recv(&transport, bytes, 1), 0);
    ck_assert_int_ne(transport.flags & TRANSPORT_IN_ENDED, 0);
    ck_assert_uint_eq(transport_send(&transport, &loop, "reply", 5), 0);
}
END_TEST

/* The same for any other fatal error. The kernel then reports only the end of the stream to the
 * receiver (tcp(7), tcp_write_err()). */
START_TEST(a_send_reports_another_end)
{
    static const int errors[] = { ETIMEDOUT, EHOSTUNREACH };

    connect_some(TCP);
    send_error = errors[_i];
    ck_assert_uint_eq(transport_send(&transport, &loop, "reply", 5), 0);
    ck_assert_int_eq(transport.flags & ~TRANSPORT_UNIX,
                     TRANSPORT_IN_CUT | TRANSPORT_OUT_ENDED | TRANSPORT_OUT_FAILED);
}
END_TEST

/* EPIPE does not affect the incoming direction. */
START_TEST(a_send_reports_that_the_peer_reads_no_more)
{
    connect_some(_i);
    send_error = EPIPE;
    ck_assert_uint_eq(transport_send(&transport, &loop, "reply", 5), 0);
    ck_assert_int_eq(transport.flags & ~TRANSPORT_UNIX, TRANSPORT_OUT_ENDED);
}
END_TEST

/* Everything that a UNIX peer sent before it closed is complete, even if it left input unread. */
START_TEST(a_unix_peer_closes)
{
    connect_some(UNIX);
    ck_assert_uint_eq(transport_send(&transport, &loop, "unread", 6), 6);
    stand_say(peer, "last");
    peer = close_fd(peer);
    ck_assert_int_ne(turn() & READY_HUP, 0);
    ck_assert(transport_is_broken(&transport));
    ck_assert_uint_eq(transport_send(&transport, &loop, "reply", 5), 0);
    ck_assert_int_ne(transport.flags & TRANSPORT_OUT_ENDED, 0);
    check_recv("last");
    ck_assert_int_eq(transport_recv(&transport, bytes, 1), 0);
    ck_assert_int_eq(transport.flags & (TRANSPORT_IN_ENDED | TRANSPORT_IN_CUT), TRANSPORT_IN_ENDED);
}
END_TEST

/* Sends until there is no room. */
static void fill(void)
{
    int size = 8192;

    ck_assert_int_eq(setsockopt(transport.source.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    while (transport_send(&transport, &loop, bytes, sizeof bytes) == sizeof bytes)
        ;
    ck_assert_int_eq(transport.source.ready & READY_OUT, 0);
    ck_assert_int_eq(transport.flags & TRANSPORT_OUT_ENDED, 0);
}

static void empty(void)
{
    for (int i = 0; i < 1000; i++) {
        while (recv(peer, bytes, sizeof bytes, 0) > 0)
            ;
        if (transport_in_flight(&transport) == 0)
            return;
        (void)poll(NULL, 0, 1);
    }
    ck_abort_msg("what was sent does not arrive");
}

START_TEST(room_is_an_edge)
{
    connect_some(_i);
    (void)turn();
    fill();
    ck_assert_int_eq(!!(transport.flags & TRANSPORT_OUT_WAITS), _i == UNIX);
    ck_assert_uint_gt(transport_in_flight(&transport), 0);
    if (_i == UNIX) /* TCP frees room by itself */
        ck_assert_uint_eq(transport_send(&transport, &loop, "x", 1), 0);
    empty();
    ck_assert_int_ne(turn() & READY_OUT, 0);
    ck_assert_uint_eq(transport_send(&transport, &loop, "x", 1), 1);
    ck_assert_int_eq(transport.flags & TRANSPORT_OUT_WAITS, 0);
    ck_assert_uint_eq(hooks.modified, _i == UNIX ? 2 : 0);
}
END_TEST

/* Room that came between the send and the registration is not missed. */
START_TEST(a_unix_stream_asks_for_room_only_when_it_lacks_it)
{
    connect_some(UNIX);
    ck_assert_int_eq(turn(), 0); /* not even the initial room */
    for (int i = 0; i < 10; i++) {
        ck_assert_uint_eq(transport_send(&transport, &loop, "x", 1), 1);
        (void)stand_hear(peer);
        ck_assert_int_eq(turn(), 0);
    }
    fill();
    ck_assert_uint_eq(hooks.modified, 1);
    ck_assert_uint_eq(transport_send(&transport, &loop, "x", 1), 0);
    transport.source.ready |= READY_OUT;
    ck_assert_uint_eq(transport_send(&transport, &loop, "x", 1), 0);
    ck_assert_uint_eq(hooks.modified, 1);
}
END_TEST

/* Otherwise it would wait forever. */
START_TEST(stops_sending_if_it_cannot_ask_for_room)
{
    connect_some(UNIX);
    hooks.modify_error = ENOMEM;
    while (transport_send(&transport, &loop, bytes, sizeof bytes) == sizeof bytes)
        ;
    ck_assert_int_ne(transport.flags & TRANSPORT_OUT_ENDED, 0);
    ck_assert_uint_eq(transport_send(&transport, &loop, "x", 1), 0);
}
END_TEST

START_TEST(takes_over_a_registration)
{
    struct source first;

    connect_unix();
    first = (struct source){ .fd = transport.source.fd };
    ck_assert_int_eq(loop_add(&loop, &first, EPOLLIN | EPOLLOUT), 0);
    stand_say(peer, "early");
    ck_assert_int_eq(transport_register(&transport, &loop, false), -EEXIST);
    ck_assert_int_eq(transport_register(&transport, &loop, true), 0);
    ck_assert_int_ne(turn() & READY_IN, 0);
    check_recv("early");
}
END_TEST

START_TEST(reports_a_failed_registration)
{
    connect_unix();
    hooks.add_error = ENOSPC;
    ck_assert_int_eq(transport_register(&transport, &loop, false), -ENOSPC);
}
END_TEST

START_TEST(shutdown_ends_the_stream_for_the_peer)
{
    connect_some(_i);
    ck_assert_uint_eq(transport_send(&transport, &loop, "last", 4), 4);
    transport_shutdown(&transport);
    ck_assert_int_ne(transport.flags & TRANSPORT_OUT_ENDED, 0);
    ck_assert_uint_eq(transport_send(&transport, &loop, "more", 4), 0);
    (void)poll(&(struct pollfd){ .fd = peer, .events = POLLRDHUP }, 1, 1000);
    ck_assert_str_eq(stand_hear(peer), "last$");
    stand_say(peer, "still heard");
    while (!(turn() & READY_IN))
        ;
    check_recv("still heard");
}
END_TEST

START_TEST(sends_nothing_once_abandoned)
{
    connect_unix();
    transport_abandon_output(&transport);
    ck_assert_uint_eq(transport_send(&transport, &loop, "x", 1), 0);
    ck_assert_str_eq(stand_hear(peer), "");
}
END_TEST

START_TEST(closes_once)
{
    int duplicate;

    connect_some(_i);
    transport.source.ready |= READY_IN | READY_HUP;
    duplicate = transport.source.fd;
    transport_close(&transport, false);
    transport_close(&transport, false);
    ck_assert_int_eq(fcntl(duplicate, F_GETFD), -1);
    ck_assert_int_eq(transport.source.fd, -1);
    ck_assert(!transport_readable(&transport));
    ck_assert(!transport_is_broken(&transport));
    ck_assert_uint_eq(transport_send(&transport, &loop, "x", 1), 0);
    ck_assert_uint_eq(transport_in_flight(&transport), 0);
    (void)poll(&(struct pollfd){ .fd = peer, .events = POLLIN }, 1, 1000);
    ck_assert_str_eq(stand_hear(peer), "$");
}
END_TEST

/* The kernel also frees the data it still holds. */
START_TEST(closes_by_a_reset)
{
    connect_some(TCP);
    fill();
    transport_close(&transport, true);
    (void)poll(&(struct pollfd){ .fd = peer, .events = POLLIN | POLLHUP }, 1, 1000);
    while (recv(peer, bytes, sizeof bytes, 0) > 0)
        ;
    ck_assert_int_eq(errno, ECONNRESET);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("transport");
    TCase *cases = tcase_create("transport");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, begins_ready_to_send);
    tcase_add_loop_test(cases, receives_until_there_is_no_more, UNIX, TCP + 1);
    tcase_add_loop_test(cases, knows_whether_there_is_more, UNIX, TCP + 1);
    tcase_add_test(cases, recheck_finds_what_no_edge_reported);
    tcase_add_loop_test(cases, the_incoming_direction_ends, UNIX, TCP + 1);
    tcase_add_test(cases, the_incoming_direction_is_cut);
    tcase_add_test(cases, a_look_reports_the_cut);
    tcase_add_test(cases, a_send_reports_the_cut);
    tcase_add_loop_test(cases, a_send_reports_another_end, 0, 2);
    tcase_add_loop_test(cases, a_send_reports_that_the_peer_reads_no_more, UNIX, TCP + 1);
    tcase_add_test(cases, a_unix_peer_closes);
    tcase_add_loop_test(cases, room_is_an_edge, UNIX, TCP + 1);
    tcase_add_test(cases, a_unix_stream_asks_for_room_only_when_it_lacks_it);
    tcase_add_test(cases, stops_sending_if_it_cannot_ask_for_room);
    tcase_add_test(cases, takes_over_a_registration);
    tcase_add_test(cases, reports_a_failed_registration);
    tcase_add_loop_test(cases, shutdown_ends_the_stream_for_the_peer, UNIX, TCP + 1);
    tcase_add_test(cases, sends_nothing_once_abandoned);
    tcase_add_loop_test(cases, closes_once, UNIX, TCP + 1);
    tcase_add_test(cases, closes_by_a_reset);
    suite_add_tcase(suite, cases);
    return suite;
}
