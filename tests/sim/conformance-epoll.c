/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "conformance.h"

#define MS 1000000L

static int counter(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

static void increment(int fd)
{
    ck_assert_int_eq(write(fd, &(uint64_t){ 1 }, sizeof(uint64_t)), sizeof(uint64_t));
}

static uint64_t take(int fd)
{
    uint64_t n = 0;

    return read(fd, &n, sizeof n) == sizeof n ? n : 0;
}

START_TEST(an_eventfd_counts)
{
    int fd;

    ask(_i);
    fd = counter();
    ck_assert_uint_eq(take(fd), 0);
    ck_assert_int_eq(errno, EAGAIN);
    increment(fd);
    increment(fd);
    ck_assert_uint_eq(take(fd), 2);
    ck_assert_uint_eq(take(fd), 0);
    ck_assert_int_eq(write(fd, &(uint64_t){ UINT64_MAX - 1 }, sizeof(uint64_t)), sizeof(uint64_t));
    ck_assert_int_eq(write(fd, &(uint64_t){ 1 }, sizeof(uint64_t)), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(write(fd, &(uint64_t){ UINT64_MAX }, sizeof(uint64_t)), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(write(fd, "x", 1), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_uint_eq(take(fd), UINT64_MAX - 1);
    ck_assert_int_eq(recv(fd, &(char){ 0 }, 1, 0), -1);
    ck_assert_int_eq(errno, ENOTSOCK);
}
END_TEST

START_TEST(each_write_is_an_edge_and_two_are_one)
{
    int fd, e;

    ask(_i);
    fd = counter();
    e = watch(fd, IN);
    ck_assert_uint_eq(edge_now(e), 0);
    increment(fd);
    ck_assert_uint_eq(edge_now(e), IN);
    ck_assert_uint_eq(edge_now(e), 0);
    increment(fd); /* while the first is unread */
    ck_assert_uint_eq(edge_now(e), IN);
    increment(fd);
    increment(fd);
    ck_assert_uint_eq(edge_now(e), IN);
    ck_assert_uint_eq(edge_now(e), 0);
}
END_TEST

START_TEST(what_is_gone_when_asked_is_not_reported)
{
    int fd, e;

    ask(_i);
    fd = counter();
    e = watch(fd, IN);
    increment(fd);
    (void)take(fd);
    ck_assert_uint_eq(edge_now(e), 0);
    increment(fd);
    ck_assert_uint_eq(edge_now(e), IN);
}
END_TEST

START_TEST(an_edge_reports_the_whole_state)
{
    int fd, e;

    ask(_i);
    fd = counter();
    e = watch(fd, IN | OUT);
    ck_assert_uint_eq(edge_now(e), OUT);
    increment(fd);
    ck_assert_uint_eq(edge_now(e), IN | OUT);
    (void)take(fd); /* wakes writers that wait for room */
    ck_assert_uint_eq(edge_now(e), OUT);
}
END_TEST

START_TEST(registering_and_modifying_report_at_once)
{
    struct epoll_event event = { .events = IN | EPOLLET };
    int fd, e;

    ask(_i);
    fd = counter();
    increment(fd);
    e = watch(fd, OUT);
    ck_assert_uint_eq(edge_now(e), OUT);
    ck_assert_int_eq(epoll_ctl(e, EPOLL_CTL_MOD, fd, &event), 0);
    ck_assert_uint_eq(edge_now(e), IN);
    ck_assert_int_eq(epoll_ctl(e, EPOLL_CTL_MOD, fd, &event), 0);
    ck_assert_uint_eq(edge_now(e), IN);
    ck_assert_uint_eq(edge_now(e), 0);
    event.events = EPOLLET;
    ck_assert_int_eq(epoll_ctl(e, EPOLL_CTL_MOD, fd, &event), 0);
    increment(fd);
    ck_assert_uint_eq(edge_now(e), 0);
}
END_TEST

static void check_control(int e, int operation, int fd, unsigned events, int error)
{
    struct epoll_event event = { .events = events };

    ck_assert_int_eq(epoll_ctl(e, operation, fd, &event), error ? -1 : 0);
    if (error)
        ck_assert_int_eq(errno, error);
}

START_TEST(registering_has_its_errors)
{
    int fd, other, e;

    ask(_i);
    fd = counter();
    other = counter();
    e = watch(fd, IN);
    check_control(e, EPOLL_CTL_ADD, fd, IN, EEXIST);
    check_control(e, EPOLL_CTL_MOD, other, IN, ENOENT);
    check_control(e, EPOLL_CTL_DEL, other, IN, ENOENT);
    check_control(e, EPOLL_CTL_ADD, 999, IN, EBADF);
    check_control(999, EPOLL_CTL_ADD, fd, IN, EBADF);
    check_control(fd, EPOLL_CTL_ADD, other, IN, EINVAL);
    check_control(e, EPOLL_CTL_ADD, e, IN, EINVAL);
    check_control(e, EPOLL_CTL_MOD, fd, IN | EPOLLEXCLUSIVE, EINVAL);
    check_control(e, EPOLL_CTL_ADD, other, IN | RDHUP | EPOLLEXCLUSIVE, EINVAL);
    check_control(e, EPOLL_CTL_ADD, other, IN | EPOLLEXCLUSIVE, 0);
    check_control(e, EPOLL_CTL_ADD, other, IN | EPOLLEXCLUSIVE, EEXIST);
    check_control(e, EPOLL_CTL_MOD, other, IN, EINVAL);
    check_control(e, EPOLL_CTL_DEL, other, IN, 0);
    check_control(e, EPOLL_CTL_DEL, other, IN, ENOENT);
}
END_TEST

START_TEST(a_closed_descriptor_reports_while_a_duplicate_lives)
{
    int fd, copy, e;

    ask(_i);
    fd = counter();
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    ck_assert_int_ne(copy, fd);
    e = watch(fd, IN);
    close(fd);
    increment(copy);
    ck_assert_uint_eq(edge_now(e), IN);
    check_control(e, EPOLL_CTL_DEL, fd, IN, EBADF);
    increment(copy);
    close(copy);
    ck_assert_uint_eq(edge_now(e), 0);
}
END_TEST

START_TEST(two_descriptors_of_a_file_are_two_registrations)
{
    int fd, copy, e;

    ask(_i);
    fd = counter();
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    e = watch(fd, IN);
    ck_assert_int_eq(watch_too(e, copy, IN), 0);
    increment(fd);
    ck_assert_uint_eq(edge_now(e), IN);
    ck_assert_uint_eq(edge_now(e), IN);
    ck_assert_uint_eq(edge_now(e), 0);
}
END_TEST

START_TEST(the_lowest_descriptor_is_taken)
{
    int a, b, c;

    ask(_i);
    a = counter();
    b = counter();
    c = counter();
    close(b);
    ck_assert_int_eq(counter(), b);
    ck_assert_int_gt(fcntl(a, F_DUPFD_CLOEXEC, c + 10), c + 9);
    ck_assert_int_eq(close(999), -1);
    ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(without_edges_the_state_is_reported_again)
{
    struct epoll_event event = { .events = IN };
    int fd, e;

    ask(_i);
    fd = counter();
    e = epoll_create1(0);
    ck_assert_int_eq(epoll_ctl(e, EPOLL_CTL_ADD, fd, &event), 0);
    increment(fd);
    ck_assert_uint_eq(edge_now(e), IN);
    ck_assert_uint_eq(edge_now(e), IN);
    (void)take(fd);
    ck_assert_uint_eq(edge_now(e), 0);
}
END_TEST

START_TEST(events_come_in_order_and_what_is_too_much_stays)
{
    struct epoll_event events[2];
    int fds[3], e;

    ask(_i);
    e = epoll_create1(0);
    for (int i = 0; i < 3; i++) {
        struct epoll_event event = { .events = IN | EPOLLET, .data.fd = i };

        fds[i] = counter();
        ck_assert_int_eq(epoll_ctl(e, EPOLL_CTL_ADD, fds[i], &event), 0);
    }
    increment(fds[2]);
    increment(fds[0]);
    increment(fds[1]);
    ck_assert_int_eq(epoll_wait(e, events, 2, 0), 2);
    ck_assert_int_eq(events[0].data.fd, 2);
    ck_assert_int_eq(events[1].data.fd, 0);
    increment(fds[2]);
    ck_assert_int_eq(epoll_wait(e, events, 2, 0), 2);
    ck_assert_int_eq(events[0].data.fd, 1);
    ck_assert_int_eq(events[1].data.fd, 2);
    ck_assert_int_eq(epoll_wait(e, events, 2, 0), 0);
    ck_assert_int_eq(epoll_wait(e, events, 0, 0), -1);
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(waiting_takes_its_time_and_the_coarse_clock_is_behind)
{
    struct timespec before, after, coarse, timeout = { .tv_nsec = 20 * MS };
    struct epoll_event event;
    long ns;
    int e;

    ask(_i);
    e = epoll_create1(0);
    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &before), 0);
    ck_assert_int_eq(epoll_wait(e, &event, 1, 20), 0);
    ck_assert_int_eq(epoll_pwait2(e, &event, 1, &timeout, NULL), 0);
    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse), 0);
    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &after), 0);
    ns = (after.tv_sec - before.tv_sec) * 1000 * MS + after.tv_nsec - before.tv_nsec;
    ck_assert_int_ge(ns, 40 * MS);
    ns = (after.tv_sec - coarse.tv_sec) * 1000 * MS + after.tv_nsec - coarse.tv_nsec;
    ck_assert_int_ge(ns, 0);
    ck_assert_int_eq(clock_gettime((clockid_t)12345, &after), -1);
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

static void make_exclusive(int fd, int epolls[3])
{
    for (int i = 0; i < 3; i++)
        epolls[i] = watch(fd, IN | EPOLLEXCLUSIVE);
}

START_TEST(exclusively_all_are_marked_where_nobody_sleeps)
{
    int fd, e[3];

    ask(_i);
    fd = counter();
    make_exclusive(fd, e);
    increment(fd);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(edge_now(e[i]), IN);
}
END_TEST

START_TEST(exclusively_the_first_that_sleeps_ends_the_marking)
{
    int fd, e[3];

    ask(_i);
    fd = counter();
    make_exclusive(fd, e);
    fall_asleep(e, 3);
    increment(fd);
    let_time_pass();
    ck_assert_uint_eq(woken(0), IN);
    ck_assert_uint_eq(woken(1), 0);
    ck_assert_uint_eq(woken(2), 0);
    wake_up_all();
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(edge_now(e[i]), 0);
}
END_TEST

START_TEST(exclusively_those_before_the_one_that_sleeps_are_marked)
{
    int fd, e[3];

    ask(_i);
    fd = counter();
    make_exclusive(fd, e);
    fall_asleep(&e[1], 1);
    increment(fd);
    let_time_pass();
    ck_assert_uint_eq(woken(0), IN);
    wake_up_all();
    ck_assert_uint_eq(edge_now(e[0]), IN);
    ck_assert_uint_eq(edge_now(e[1]), 0);
    ck_assert_uint_eq(edge_now(e[2]), 0);
}
END_TEST

START_TEST(a_thread_that_sleeps_is_woken)
{
    int fd, e;

    ask(_i);
    fd = counter();
    e = watch(fd, IN);
    fall_asleep(&e, 1);
    ck_assert_uint_eq(woken(0), 0);
    increment(fd);
    let_time_pass();
    ck_assert_uint_eq(woken(0), IN);
    wake_up_all();
}
END_TEST

void add_epoll_cases(TCase *tc)
{
    tcase_add_loop_test(tc, an_eventfd_counts, 0, ASK_BOTH);
    tcase_add_loop_test(tc, each_write_is_an_edge_and_two_are_one, 0, ASK_BOTH);
    tcase_add_loop_test(tc, what_is_gone_when_asked_is_not_reported, 0, ASK_BOTH);
    tcase_add_loop_test(tc, an_edge_reports_the_whole_state, 0, ASK_BOTH);
    tcase_add_loop_test(tc, registering_and_modifying_report_at_once, 0, ASK_BOTH);
    tcase_add_loop_test(tc, registering_has_its_errors, 0, ASK_BOTH);
    tcase_add_loop_test(tc, a_closed_descriptor_reports_while_a_duplicate_lives, 0, ASK_BOTH);
    tcase_add_loop_test(tc, two_descriptors_of_a_file_are_two_registrations, 0, ASK_BOTH);
    tcase_add_loop_test(tc, the_lowest_descriptor_is_taken, 0, ASK_BOTH);
    tcase_add_loop_test(tc, without_edges_the_state_is_reported_again, 0, ASK_BOTH);
    tcase_add_loop_test(tc, events_come_in_order_and_what_is_too_much_stays, 0, ASK_BOTH);
    tcase_add_loop_test(tc, waiting_takes_its_time_and_the_coarse_clock_is_behind, 0, ASK_BOTH);
    tcase_add_loop_test(tc, exclusively_all_are_marked_where_nobody_sleeps, 0, ASK_BOTH);
    tcase_add_loop_test(tc, exclusively_the_first_that_sleeps_ends_the_marking, 0, ASK_BOTH);
    tcase_add_loop_test(tc, exclusively_those_before_the_one_that_sleeps_are_marked, 0, ASK_BOTH);
    tcase_add_loop_test(tc, a_thread_that_sleeps_is_woken, 0, ASK_BOTH);
}
