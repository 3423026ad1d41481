/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <sys/ioctl.h>

#include "conformance.h"

static void shrink(int fd, int sndbuf)
{
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof sndbuf), 0);
}

/* fds[0] is watched, and its first report has been consumed. */
static int watched(enum family family, int fds[2], unsigned events)
{
    int e;

    connected(family, fds);
    e = watch(fds[0], events);
    ck_assert_uint_eq(edge(e), OUT);
    return e;
}

START_TEST(each_arrival_is_an_edge)
{
    int fds[2], e;

    ASK(_i);
    e = watched(FAMILY(), fds, ALL);
    for (int i = 0; i < 3; i++) { /* each while the previous one is unread */
        send_bytes(fds[1], 10);
        ck_assert_uint_eq(edge(e), IN | OUT);
        no_edge(e);
    }
    ck_assert_int_eq(receive(fds[0], 5), 5);
    no_edge(e); /* leftover data is no news */
    ck_assert_int_eq(receive(fds[0], 100), 25);
    ck_assert_int_eq(receive(fds[0], 100), -EAGAIN);
}
END_TEST

START_TEST(shutting_down_is_an_edge_at_both_ends)
{
    int fds[2], e, other;

    ASK(_i);
    e = watched(FAMILY(), fds, ALL);
    other = watch(fds[1], ALL);
    ck_assert_uint_eq(edge(other), OUT);
    ck_assert_int_eq(shutdown(fds[0], SHUT_WR), 0);
    ck_assert_uint_eq(edge(e), OUT);
    ck_assert_uint_eq(edge(other), IN | OUT | RDHUP);
    ck_assert_int_eq(receive(fds[1], 1), 0);
    ck_assert_int_eq(receive(fds[1], 1), 0);
    ck_assert_int_eq(send(fds[0], "x", 1, MSG_NOSIGNAL), -1);
    ck_assert_int_eq(errno, EPIPE);
    send_bytes(fds[1], 3); /* the other direction still works */
    ck_assert_uint_eq(edge(e), IN | OUT);
    ck_assert_int_eq(receive(fds[0], 100), 3);
    ck_assert_int_eq(shutdown(fds[1], SHUT_WR), 0);
    ck_assert_uint_eq(edge(e), IN | OUT | RDHUP | HUP);
    ck_assert_int_eq(receive(fds[0], 1), 0);
    ck_assert_uint_eq(edge(other), IN | OUT | RDHUP | HUP);
}
END_TEST

START_TEST(data_comes_before_the_end)
{
    int fds[2], e;

    ASK(_i);
    e = watched(FAMILY(), fds, ALL);
    send_bytes(fds[1], 10);
    ck_assert_int_eq(shutdown(fds[1], SHUT_WR), 0);
    await(fds[0], RDHUP);
    ck_assert_uint_eq(edge(e), IN | OUT | RDHUP);
    ck_assert_int_eq(receive(fds[0], 4), 4);
    ck_assert_int_eq(receive(fds[0], 100), 6);
    ck_assert_int_eq(receive(fds[0], 100), 0);
    send_bytes(fds[0], 1);
}
END_TEST

START_TEST(closing_ends_both_directions)
{
    int fds[2], e;

    ASK(_i);
    e = watched(FAMILY(), fds, ALL);
    close(fds[1]);
    if (FAMILY() == UNIX) {
        ck_assert_uint_eq(edge(e), IN | OUT | RDHUP | HUP);
        ck_assert_int_eq(receive(fds[0], 1), 0);
        ck_assert_int_eq(send(fds[0], "x", 1, MSG_NOSIGNAL), -1);
        ck_assert_int_eq(errno, EPIPE);
        return;
    }
    ck_assert_uint_eq(edge(e), IN | OUT | RDHUP);
    no_edge(e);
    ck_assert_int_eq(receive(fds[0], 1), 0);
    send_bytes(fds[0], 1); /* the peer is gone, which this discovers */
    ck_assert_uint_eq(edge(e), IN | OUT | RDHUP | ERR | HUP);
    ck_assert_int_eq(receive(fds[0], 1), 0);
    ck_assert_int_eq(send(fds[0], "x", 1, MSG_NOSIGNAL), -1);
    ck_assert_int_eq(errno, EPIPE);
    ck_assert_int_eq(shutdown(fds[0], SHUT_WR), -1);
    ck_assert_int_eq(errno, ENOTCONN);
}
END_TEST

START_TEST(closing_with_unread_input_is_a_reset)
{
    int fds[2], e;

    ASK(_i);
    e = watched(FAMILY(), fds, ALL);
    send_bytes(fds[1], 5);
    ck_assert_uint_eq(edge(e), IN | OUT);
    send_bytes(fds[0], 7);
    await(fds[1], IN);
    close(fds[1]);
    ck_assert_uint_eq(edge(e), IN | OUT | RDHUP | ERR | HUP);
    ck_assert_int_eq(receive(fds[0], 100), 5);
    ck_assert_int_eq(receive(fds[0], 100), -ECONNRESET);
    ck_assert_int_eq(receive(fds[0], 100), 0);
    ck_assert_int_eq(send(fds[0], "x", 1, MSG_NOSIGNAL), -1);
    ck_assert_int_eq(errno, EPIPE);
    await(fds[0], HUP);
}
END_TEST

START_TEST(sending_says_of_a_reset_once)
{
    int fds[2];

    ASK(_i);
    connected(TCP, fds);
    send_bytes(fds[0], 7);
    await(fds[1], IN);
    close(fds[1]);
    await(fds[0], ERR);
    ck_assert_int_eq(send(fds[0], "x", 1, MSG_NOSIGNAL), -1);
    ck_assert_int_eq(errno, ECONNRESET);
    ck_assert_int_eq(send(fds[0], "x", 1, MSG_NOSIGNAL), -1);
    ck_assert_int_eq(errno, EPIPE);
    ck_assert_int_eq(receive(fds[0], 1), 0);
}
END_TEST

START_TEST(lingering_for_no_time_is_a_reset)
{
    struct linger linger = { .l_onoff = 1 };
    int fds[2], error = 0;
    socklen_t size = sizeof error;

    ASK(_i);
    connected(TCP, fds);
    ck_assert_int_eq(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(fds[1]);
    await(fds[0], ERR);
    ck_assert_int_eq(getsockopt(fds[0], SOL_SOCKET, SO_ERROR, &error, &size), 0);
    ck_assert_int_eq(error, ECONNRESET);
    ck_assert_int_eq(getsockopt(fds[0], SOL_SOCKET, SO_ERROR, &error, &size), 0);
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(receive(fds[0], 1), 0);
}
END_TEST

START_TEST(a_reset_after_the_end_does_not_show_when_reading)
{
    int fds[2];

    ASK(_i);
    connected(TCP, fds);
    send_bytes(fds[1], 3);
    ck_assert_int_eq(shutdown(fds[1], SHUT_WR), 0);
    await(fds[0], RDHUP);
    send_bytes(fds[0], 5);
    await(fds[1], IN);
    close(fds[1]);
    await(fds[0], ERR);
    ck_assert_int_eq(receive(fds[0], 100), 3);
    ck_assert_int_eq(receive(fds[0], 100), 0);
    ck_assert_int_eq(send(fds[0], "x", 1, MSG_NOSIGNAL), -1);
    ck_assert_int_eq(errno, EPIPE);
}
END_TEST

START_TEST(tcp_room_is_an_edge_after_eagain_and_a_third)
{
    int fds[2], e;
    size_t sent;

    ASK(_i);
    connected(TCP, fds);
    shrink(fds[0], 32768);
    e = watch(fds[0], ALL);
    ck_assert_uint_eq(edge(e), OUT);
    send_bytes(fds[0], 100);
    await(fds[1], IN);
    ck_assert_int_eq(receive(fds[1], 1000), 100);
    no_edge(e); /* no send() had lacked room */
    sent = fill(fds[0]);
    await(fds[1], IN);
    let_time_pass();
    sent += fill(fds[0]); /* bytes that have left meanwhile */
    (void)edge_now(e);
    ck_assert_int_eq(receive(fds[1], 500), 500);
    no_edge(e);
    sent -= 500;
    while (sent > 0) {
        int n = receive(fds[1], 65536);

        if (n > 0)
            sent -= (size_t)n;
        else
            await(fds[1], IN);
    }
    ck_assert_uint_eq(edge(e), OUT);
    no_edge(e);
}
END_TEST

START_TEST(unix_room_is_an_edge_at_every_read)
{
    int fds[2], e, used;

    ASK(_i);
    e = watched(UNIX, fds, ALL);
    for (int i = 0; i < 3; i++) {
        send_bytes(fds[0], 1);
        ck_assert_int_eq(unsent(fds[0]), 768);
        no_edge(e);
        ck_assert_int_eq(receive(fds[1], 100), 1);
        ck_assert_uint_eq(edge(e), OUT);
    }
    (void)fill(fds[0]);
    used = unsent(fds[0]);
    ck_assert_uint_eq(edge_now(e), 0);
    while (unsent(fds[0]) * 4 > 212992) {
        ck_assert_uint_eq(edge_now(e), 0);
        ck_assert_int_eq(receive(fds[1], 4096), 4096);
        ck_assert_int_lt(unsent(fds[0]), used);
    }
    ck_assert_uint_eq(edge_now(e), OUT);
    ck_assert_int_eq(receive(fds[1], 1000), 1000); /* reading part of a piece frees nothing */
    ck_assert_uint_eq(edge_now(e), 0);
    ck_assert_int_eq(receive(fds[1], 4096), 4096); /* the rest, and part of the next */
    ck_assert_uint_eq(edge_now(e), OUT);
}
END_TEST

START_TEST(unix_memory_is_counted_as_the_kernel_does)
{
    static const size_t sizes[] = { 1,    191,  192,  193,  704,   705,   1728,  1729,
                                    3776, 3777, 7872, 7873, 16064, 16065, 32000, 32448 };

    ASK(_i);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        static const int expected[] = { 768,  768,  768,  1280, 1280,  2304,  2304,  4352,
                                        4352, 4864, 8448, 8960, 16640, 17152, 33024, 33024 };
        int fds[2];

        connected(UNIX, fds);
        send_bytes(fds[0], sizes[i]);
        ck_assert_int_eq(unsent(fds[0]), expected[i]);
        close(fds[0]);
        close(fds[1]);
    }
}
END_TEST

START_TEST(what_is_not_acknowledged_is_unsent)
{
    int fds[2];
    size_t sent;

    ASK(_i);
    connected(TCP, fds);
    shrink(fds[0], 32768);
    send_bytes(fds[0], 100);
    await(fds[1], IN);
    let_time_pass();
    ck_assert_int_eq(unsent(fds[0]), 0);
    sent = fill(fds[0]);
    let_time_pass();
    ck_assert_int_gt(unsent(fds[0]), 0); /* the window is closed */
    ck_assert_int_le(unsent(fds[0]), (int)sent);
}
END_TEST

START_TEST(reading_stops_at_the_urgent_mark)
{
    int fds[2], e;

    ASK(_i);
    e = watched(FAMILY(), fds, ALL);
    send_bytes(fds[1], 3);
    ck_assert_int_eq(send(fds[1], "!", 1, MSG_OOB), 1);
    send_bytes(fds[1], 4);
    await(fds[0], IN);
    let_time_pass();
    ck_assert_uint_eq(edge(e) & (IN | OUT), IN | OUT);
    ck_assert_int_eq(receive(fds[0], 100), 3);
    ck_assert_int_eq(receive(fds[0], 100), 4);
    ck_assert_int_eq(receive(fds[0], 100), -EAGAIN);
}
END_TEST

static void send_file(int to, int fd, size_t n)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    char bytes[100] = "";
    struct iovec iov = { bytes, n };
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    ck_assert_int_eq(sendmsg(to, &message, MSG_NOSIGNAL), (int)n);
}

START_TEST(reading_stops_behind_a_descriptor)
{
    int fds[2];

    ASK(_i);
    connected(UNIX, fds);
    send_bytes(fds[1], 3);
    send_file(fds[1], fds[0], 4);
    send_bytes(fds[1], 5);
    ck_assert_int_eq(receive(fds[0], 100), 7);
    ck_assert_int_eq(receive(fds[0], 100), 5);
    ck_assert_int_eq(receive(fds[0], 100), -EAGAIN);
}
END_TEST

static int peek(int fd)
{
    ssize_t n = recv(fd, &(char){ 0 }, 1, MSG_PEEK);

    return n < 0 ? -errno : (int)n;
}

/* Bytes that a longer look finds, in at most so many. */
static int peek_far(int fd, size_t n)
{
    char bytes[100];
    ssize_t r = recv(fd, bytes, n, MSG_PEEK);

    return r < 0 ? -errno : (int)r;
}

static int waiting_in(int fd)
{
    int n = -1;

    ck_assert_int_eq(ioctl(fd, FIONREAD, &n), 0);
    return n;
}

START_TEST(peeking_takes_nothing)
{
    int fds[2];

    ASK(_i);
    connected(FAMILY(), fds);
    ck_assert_int_eq(peek(fds[0]), -EAGAIN);
    ck_assert_int_eq(waiting_in(fds[0]), 0);
    send_bytes(fds[1], 10);
    await(fds[0], IN);
    ck_assert_int_eq(peek(fds[0]), 1);
    ck_assert_int_eq(waiting_in(fds[0]), 10);
    ck_assert_int_eq(receive(fds[0], 4), 4);
    ck_assert_int_eq(waiting_in(fds[0]), 6);
    ck_assert_int_eq(shutdown(fds[1], SHUT_WR), 0);
    await(fds[0], RDHUP);
    ck_assert_int_eq(waiting_in(fds[0]), 6);
    ck_assert_int_eq(receive(fds[0], 100), 6);
    ck_assert_int_eq(waiting_in(fds[0]), 0);
    ck_assert_int_eq(peek(fds[0]), 0);
    ck_assert_int_eq(peek(fds[0]), 0);
}
END_TEST

START_TEST(peeking_looks_across_pieces)
{
    int fds[2];

    ASK(_i);
    connected(FAMILY(), fds);
    send_bytes(fds[1], 3);
    send_bytes(fds[1], 4);
    send_bytes(fds[1], 5);
    await(fds[0], IN);
    while (FAMILY() == TCP && waiting_in(fds[0]) < 12)
        await(fds[0], IN);
    ck_assert_int_eq(peek_far(fds[0], 100), 12);
    ck_assert_int_eq(peek_far(fds[0], 6), 6);
    ck_assert_int_eq(receive(fds[0], 100), 12);
}
END_TEST

START_TEST(peeking_stops_behind_a_descriptor)
{
    int fds[2];

    ASK(_i);
    connected(UNIX, fds);
    send_bytes(fds[1], 3);
    send_file(fds[1], fds[0], 4);
    send_bytes(fds[1], 5);
    ck_assert_int_eq(peek_far(fds[0], 100), 7);
    ck_assert_int_eq(receive(fds[0], 100), 7);
    ck_assert_int_eq(peek_far(fds[0], 100), 5);
}
END_TEST

START_TEST(peeking_skips_an_urgent_byte)
{
    int fds[2];

    ASK(_i);
    connected(UNIX, fds);
    ck_assert_int_eq(send(fds[1], "!", 1, MSG_OOB), 1);
    send_bytes(fds[1], 3);
    ck_assert_int_eq(peek(fds[0]), 1);
    ck_assert_int_eq(peek_far(fds[0], 100), 3);
    ck_assert_int_eq(receive(fds[0], 100), 3);
    ck_assert_int_eq(receive(fds[0], 100), -EAGAIN);
}
END_TEST

/* Peeking at an error consumes it. */
START_TEST(peeking_takes_an_error)
{
    int fds[2];

    ASK(_i);
    connected(FAMILY(), fds);
    send_bytes(fds[0], 1);
    await(fds[1], IN);
    close(fds[1]);
    await(fds[0], HUP);
    ck_assert_int_eq(peek(fds[0]), -ECONNRESET);
    ck_assert_int_eq(peek(fds[0]), 0);
    ck_assert_int_eq(receive(fds[0], 1), 0);
}
END_TEST

void add_stream_cases(TCase *tc)
{
    ADD_BOTH(tc, each_arrival_is_an_edge);
    ADD_BOTH(tc, shutting_down_is_an_edge_at_both_ends);
    ADD_BOTH(tc, data_comes_before_the_end);
    ADD_BOTH(tc, closing_ends_both_directions);
    ADD_BOTH(tc, closing_with_unread_input_is_a_reset);
    ADD_TCP(tc, sending_says_of_a_reset_once);
    ADD_TCP(tc, lingering_for_no_time_is_a_reset);
    ADD_TCP(tc, a_reset_after_the_end_does_not_show_when_reading);
    ADD_TCP(tc, tcp_room_is_an_edge_after_eagain_and_a_third);
    ADD_UNIX(tc, unix_room_is_an_edge_at_every_read);
    ADD_UNIX(tc, unix_memory_is_counted_as_the_kernel_does);
    ADD_TCP(tc, what_is_not_acknowledged_is_unsent);
    ADD_BOTH(tc, reading_stops_at_the_urgent_mark);
    ADD_UNIX(tc, reading_stops_behind_a_descriptor);
    ADD_UNIX(tc, peeking_stops_behind_a_descriptor);
    ADD_UNIX(tc, peeking_skips_an_urgent_byte);
    ADD_BOTH(tc, peeking_takes_nothing);
    ADD_BOTH(tc, peeking_looks_across_pieces);
    ADD_BOTH(tc, peeking_takes_an_error);
}
