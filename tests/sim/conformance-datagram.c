/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/un.h>

#include "conformance.h"

static int try(int fd, size_t n)
{
    char *bytes = calloc(1, n + 1);
    ssize_t r = send(fd, bytes, n, MSG_NOSIGNAL);
    int error = errno;

    free(bytes);
    return r < 0 ? -error : (int)r;
}

static unsigned send_until_full(int fd)
{
    unsigned n = 0;
    int r;

    while ((r = try(fd, 1)) == 1)
        n++;
    ck_assert_int_eq(r, -EAGAIN);
    return n;
}

START_TEST(a_queue_has_one_place_more)
{
    int to, fd, other;

    ask(_i);
    to = bound();
    fd = sender();
    other = sender();
    ck_assert_uint_eq(send_until_full(fd), qlen() + 1);
    ck_assert_uint_eq(send_until_full(other), 0);
    ck_assert_int_eq(receive(to, 10), 1);
    ck_assert_uint_eq(send_until_full(other), 1);
    ck_assert_uint_eq(send_until_full(fd), 0);
}
END_TEST

START_TEST(every_read_wakes_all_who_wait_and_keeps_no_place)
{
    int to, fd, other, e, f;

    ask(_i);
    to = bound();
    fd = sender();
    other = sender();
    e = watch(fd, OUT);
    f = watch(other, OUT);
    ck_assert_uint_eq(edge(e), OUT);
    ck_assert_uint_eq(edge(f), OUT);
    (void)send_until_full(fd);
    ck_assert_int_eq(try(other, 1), -EAGAIN);
    ck_assert_uint_eq(edge_now(e), 0);
    ck_assert_int_eq(receive(to, 10), 1);
    ck_assert_uint_eq(edge_now(e), OUT);
    ck_assert_uint_eq(edge_now(f), OUT);
    ck_assert_int_eq(try(fd, 1), 1);
    ck_assert_int_eq(try(other, 1), -EAGAIN); /* its place was taken */
    ck_assert_int_eq(receive(to, 10), 1);
    ck_assert_uint_eq(edge_now(f), OUT);
    ck_assert_uint_eq(edge_now(e), OUT); /* the datagram read was its own */
    ck_assert_int_eq(receive(to, 10), 1);
    ck_assert_uint_eq(edge_now(e), OUT);
    ck_assert_uint_eq(edge_now(f), 0);
}
END_TEST

START_TEST(whoever_is_woken_for_nothing_waits_again)
{
    int to, fd, other, f;

    ask(_i);
    to = bound();
    fd = sender();
    other = sender();
    (void)send_until_full(fd);
    f = watch(other, OUT);
    ck_assert_uint_eq(edge_now(f), 0); /* asking counts as waiting */
    ck_assert_int_eq(receive(to, 10), 1);
    ck_assert_int_eq(try(fd, 1), 1);
    ck_assert_uint_eq(edge_now(f), 0);
    ck_assert_int_eq(receive(to, 10), 1);
    ck_assert_uint_eq(edge_now(f), OUT);
}
END_TEST

START_TEST(what_is_larger_than_the_buffer_is_refused)
{
    int to, fd, sndbuf;
    socklen_t size = sizeof sndbuf;

    ask(_i);
    to = bound();
    fd = sender();
    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, &size), 0);
    ck_assert_int_eq(try(fd, (size_t)sndbuf - 31), -EMSGSIZE);
    ck_assert_int_eq(try(fd, (size_t)sndbuf - 32), sndbuf - 32);
    ck_assert_int_eq(try(fd, 1), -EAGAIN); /* it fills the buffer */
    ck_assert_int_eq(receive(to, 65536), 65536);
    ck_assert_int_eq(try(fd, 1), 1);
}
END_TEST

START_TEST(what_is_larger_than_the_kernel_has_is_refused)
{
    int sndbuf = 16 << 20, fd;

    ask(_i);
    (void)bound();
    fd = sender();
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof sndbuf) < 0) {
        ck_assert_int_eq(errno, EPERM); /* only for root */
        return;
    }
    ck_assert_int_eq(try(fd, (5U << 20)), -ENOBUFS);
    ck_assert_int_eq(try(fd, (4U << 20)), 4 << 20);
    ck_assert_int_eq(try(fd, 100), 100);
}
END_TEST

START_TEST(a_peer_that_goes_is_refused_once)
{
    int to, fd, e;

    ask(_i);
    to = bound();
    fd = sender();
    e = watch(fd, OUT);
    ck_assert_uint_eq(edge(e), OUT);
    (void)send_until_full(fd);
    ck_assert_uint_eq(edge_now(e), 0);
    close(to);
    ck_assert_uint_eq(edge_now(e), OUT);
    ck_assert_int_eq(try(fd, 1), -ECONNREFUSED);
    ck_assert_int_eq(try(fd, 1), -ENOTCONN);
    ck_assert_int_eq(try(fd, 1), -ENOTCONN);
    (void)unlink(socket_path());
    to = bound(); /* another socket, which the old one does not find */
    ck_assert_int_eq(try(fd, 1), -ENOTCONN);
    ck_assert_int_eq(try(sender(), 1), 1);
    ck_assert_int_eq(receive(to, 10), 1);
}
END_TEST

START_TEST(a_path_is_left_over)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int to, fd;

    ask(_i);
    strcpy(address.sun_path, socket_path());
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(access(socket_path(), F_OK), -1);
    to = bound();
    ck_assert_int_eq(access(socket_path(), F_OK), 0);
    ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof address), 1);
    ck_assert_int_eq(try(fd, 1), -ENOTCONN);
    close(to);
    ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof address), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    to = socket(AF_UNIX, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(to, (struct sockaddr *)&address, sizeof address), -1);
    ck_assert_int_eq(errno, EADDRINUSE);
    ck_assert_int_eq(unlink(socket_path()), 0);
    ck_assert_int_eq(unlink(socket_path()), -1);
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(who_is_not_connected_is_refused_where_it_is_full)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int to, fd, e;

    ask(_i);
    to = bound();
    (void)send_until_full(sender());
    strcpy(address.sun_path, socket_path());
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    e = watch(fd, OUT);
    ck_assert_uint_eq(edge(e), OUT); /* only about its own buffer */
    ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof address), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_eq(edge_now(e), OUT); /* even now that the queue is full */
    ck_assert_int_eq(receive(to, 10), 1);
    ck_assert_uint_eq(edge_now(e), 0); /* and not when there is room */
    ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof address), 1);
}
END_TEST

START_TEST(many_at_once_stop_short_and_forget_why)
{
    enum { N = 600 };
    static struct mmsghdr messages[N];
    static char large[300000];
    struct iovec small = { large, 1 }, too_large = { large, 250000 };
    int fd;
    unsigned places;

    ask(_i);
    (void)bound();
    fd = sender();
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 50000 }, sizeof(int)), 0);
    for (int i = 0; i < N; i++)
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = &small, .msg_iovlen = 1 };
    messages[3].msg_hdr.msg_iov = &too_large;
    ck_assert_int_eq(sendmmsg(fd, messages, 5, MSG_NOSIGNAL), 3);
    ck_assert_int_eq(sendmmsg(fd, messages + 3, 2, MSG_NOSIGNAL), -1);
    ck_assert_int_eq(errno, EMSGSIZE);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 212992 }, sizeof(int)), 0);
    places = qlen() + 1 - 3;
    ck_assert_int_eq(sendmmsg(fd, messages + 4, N - 4, MSG_NOSIGNAL), places);
    ck_assert_int_eq(sendmmsg(fd, messages + 4, 1, MSG_NOSIGNAL), -1);
    ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(a_file_in_memory_is_sealed_and_passed)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof control };
    int to, fd, file;

    ask(_i);
    to = bound();
    fd = sender();
    file = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, "hello", 5), 5);
    ck_assert_int_eq(
        fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
    ck_assert_int_eq(write(file, "x", 1), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), -1);
    ck_assert_int_eq(errno, EPERM);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    ck_assert_int_eq(sendmsg(fd, &message, MSG_NOSIGNAL), 0);
    close(file);
    ck_assert_int_eq(receive(to, 10), 0);
    ck_assert_int_eq(receive(to, 10), -EAGAIN);
}
END_TEST

void add_datagram_cases(TCase *tc)
{
    tcase_add_loop_test(tc, a_queue_has_one_place_more, 0, ASK_BOTH);
    tcase_add_loop_test(tc, every_read_wakes_all_who_wait_and_keeps_no_place, 0, ASK_BOTH);
    tcase_add_loop_test(tc, whoever_is_woken_for_nothing_waits_again, 0, ASK_BOTH);
    tcase_add_loop_test(tc, what_is_larger_than_the_buffer_is_refused, 0, ASK_BOTH);
    tcase_add_loop_test(tc, what_is_larger_than_the_kernel_has_is_refused, 0, ASK_BOTH);
    tcase_add_loop_test(tc, a_peer_that_goes_is_refused_once, 0, ASK_BOTH);
    tcase_add_loop_test(tc, a_path_is_left_over, 0, ASK_BOTH);
    tcase_add_loop_test(tc, who_is_not_connected_is_refused_where_it_is_full, 0, ASK_BOTH);
    tcase_add_loop_test(tc, many_at_once_stop_short_and_forget_why, 0, ASK_BOTH);
    tcase_add_loop_test(tc, a_file_in_memory_is_sealed_and_passed, 0, ASK_BOTH);
}
