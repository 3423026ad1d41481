/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "net/loop.h"
#include "runner.h"

#define ALL (EPOLLIN | EPOLLOUT | EPOLLRDHUP)

static struct loop loop;

static void setup(void)
{
    ck_assert_int_eq(loop_init(&loop), 0);
}

static void teardown(void)
{
    loop_deinit(&loop);
    loop_deinit(&loop);
}

/* A source in the loop. *ret_peer is the other end of its socket. */
static struct source source_new(int *ret_peer)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    *ret_peer = fds[1];
    return (struct source){ .fd = fds[0] };
}

static void send_byte(int fd)
{
    ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), 1);
}

static void receive_byte(int fd)
{
    char byte;

    ck_assert_int_eq(recv(fd, &byte, 1, 0), 1);
}

/* Waits as long as it takes. The next news must be of this source. */
static void check_news(const struct source *s)
{
    ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), 0);
    ck_assert_ptr_eq(loop_next(&loop), s);
}

START_TEST(an_edge_comes_once_and_its_bit_stays)
{
    int peer;
    struct source s = source_new(&peer);

    ck_assert_int_eq(loop_add(&loop, &s, ALL), 0);
    check_news(&s);
    ck_assert_ptr_null(loop_next(&loop));
    ck_assert_int_eq(s.ready, READY_OUT); /* immediately, for a new socket */

    send_byte(peer);
    check_news(&s);
    ck_assert_int_eq(s.ready, READY_IN | READY_OUT);

    /* Not read, so no news. */
    ck_assert_int_eq(loop_wait(&loop, 0), 0);
    ck_assert_ptr_null(loop_next(&loop));
    ck_assert_int_eq(s.ready, READY_IN | READY_OUT);

    /* Cleared after EAGAIN, set again by the next edge. */
    receive_byte(s.fd);
    s.ready &= (uint8_t)~READY_IN;
    send_byte(peer);
    check_news(&s);
    ck_assert_int_ne(s.ready & READY_IN, 0);
    close(peer);
    close(s.fd);
}
END_TEST

START_TEST(room_is_an_edge_after_eagain)
{
    char bytes[4096] = "";
    int peer;
    struct source s = source_new(&peer);

    ck_assert_int_eq(loop_add(&loop, &s, ALL), 0);
    while (send(s.fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
        ;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(loop_wait(&loop, 0), 0);
    while (loop_next(&loop))
        ;
    s.ready = 0;
    while (recv(peer, bytes, sizeof bytes, 0) > 0)
        ;
    check_news(&s);
    ck_assert_int_eq(s.ready, READY_OUT);
    close(peer);
    close(s.fd);
}
END_TEST

START_TEST(reports_ends_of_the_stream)
{
    int peer;
    struct source s = source_new(&peer);

    ck_assert_int_eq(loop_add(&loop, &s, ALL), 0);
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    check_news(&s);
    ck_assert_int_eq(s.ready, READY_IN | READY_OUT | READY_RDHUP);
    close(peer);
    check_news(&s);
    ck_assert_int_eq(s.ready, READY_IN | READY_OUT | READY_RDHUP | READY_HUP);
    close(s.fd);
}
END_TEST

START_TEST(reports_what_cannot_be_watched)
{
    struct source s = { .fd = -1 };

    ck_assert_int_eq(loop_add(&loop, &s, ALL), -EBADF);
    s.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(s.fd, 0);
    ck_assert_int_eq(loop_add(&loop, &s, ALL), -EPERM);
    loop_remove(&loop, &s);
    close(s.fd);
}
END_TEST

START_TEST(queued_sources_come_in_order)
{
    struct source s[4] = { 0 };

    for (int i = 0; i < 4; i++)
        loop_queue(&loop, &s[i]);
    loop_queue(&loop, &s[0]); /* is already queued */
    /* It does not wait while there is work. */
    ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_ptr_eq(loop_next(&loop), &s[i]);
        /* A source that continues is for the next pass: a pass ends. */
        if (i % 2 == 1)
            loop_queue(&loop, &s[i]);
    }
    ck_assert_ptr_null(loop_next(&loop));
    check_news(&s[1]);
    ck_assert_ptr_eq(loop_next(&loop), &s[3]);
    ck_assert_ptr_null(loop_next(&loop));
    ck_assert_int_eq(loop_wait(&loop, 0), 0);
    ck_assert_ptr_null(loop_next(&loop));
}
END_TEST

START_TEST(queued_sources_come_before_new_events)
{
    int peer;
    struct source queued = { 0 }, s = source_new(&peer);

    ck_assert_int_eq(loop_add(&loop, &s, ALL), 0);
    loop_queue(&loop, &queued);
    check_news(&queued);
    ck_assert_ptr_eq(loop_next(&loop), &s);
    ck_assert_ptr_null(loop_next(&loop));

    /* News of a queued source does not queue it twice. */
    loop_queue(&loop, &s);
    send_byte(peer);
    check_news(&s);
    ck_assert_int_ne(s.ready & READY_IN, 0);
    ck_assert_ptr_null(loop_next(&loop));
    close(peer);
    close(s.fd);
}
END_TEST

/* Sources that became ready during the pass get another one without asking the kernel. */
START_TEST(loop_again_does_not_ask_the_kernel)
{
    int peer;
    struct source queued = { 0 }, s = source_new(&peer);

    ck_assert(!loop_again(&loop));
    ck_assert_ptr_null(loop_next(&loop));
    ck_assert_int_eq(loop_add(&loop, &s, ALL), 0);
    loop_queue(&loop, &queued);
    ck_assert(loop_again(&loop));
    ck_assert_ptr_eq(loop_next(&loop), &queued);
    loop_queue(&loop, &queued);
    ck_assert_ptr_null(loop_next(&loop));
    ck_assert(loop_again(&loop));
    ck_assert_ptr_eq(loop_next(&loop), &queued);
    ck_assert_ptr_null(loop_next(&loop));
    ck_assert(!loop_again(&loop));
    ck_assert_int_eq(loop_wait(&loop, 0), 0);
    ck_assert_ptr_eq(loop_next(&loop), &s);
    ck_assert_ptr_null(loop_next(&loop));
    close(peer);
    close(s.fd);
}
END_TEST

static uint64_t waited_us(uint64_t timeout_us)
{
    uint64_t begin = clock_us(CLOCK_MONOTONIC);

    ck_assert_int_eq(loop_wait(&loop, timeout_us), 0);
    ck_assert_ptr_null(loop_next(&loop));
    return clock_us(CLOCK_MONOTONIC) - begin;
}

/* Never shorter than asked. Waits below a millisecond are not rounded up if the kernel can tell
 * them apart. */
START_TEST(waits_as_long_as_asked)
{
    uint64_t shortest = UINT64_MAX;

    ck_assert_uint_ge(waited_us(3000), 3000);
    ck_assert_uint_ge(waited_us(2500), 2500);
    for (int i = 0; i < 50; i++) {
        uint64_t us = waited_us(100);

        ck_assert_uint_ge(us, 100);
        shortest = MIN(shortest, us);
    }
#ifdef HAVE_EPOLL_PWAIT2
    ck_assert_uint_lt(shortest, 1000);
#endif
}
END_TEST

START_TEST(unqueueing_keeps_the_others)
{
    for (int removed = 0; removed < 3; removed++) {
        struct source s[3] = { 0 }, last = { 0 };

        for (int i = 0; i < 3; i++)
            loop_queue(&loop, &s[i]);
        loop_unqueue(&loop, &s[removed]);
        loop_unqueue(&loop, &s[removed]);
        ck_assert(!s[removed].queued);
        loop_queue(&loop, &last);
        ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), 0);
        for (int i = 0; i < 3; i++)
            if (i != removed)
                ck_assert_ptr_eq(loop_next(&loop), &s[i]);
        ck_assert_ptr_eq(loop_next(&loop), &last);
        ck_assert_ptr_null(loop_next(&loop));
    }
}
END_TEST

START_TEST(unqueueing_the_only_one)
{
    struct source s = { 0 }, other = { 0 };

    loop_queue(&loop, &s);
    loop_unqueue(&loop, &s);
    ck_assert_int_eq(loop_wait(&loop, 0), 0);
    ck_assert_ptr_null(loop_next(&loop));
    loop_queue(&loop, &other);
    check_news(&other);
}
END_TEST

START_TEST(unqueued_within_the_pass)
{
    for (int removed = 1; removed < 4; removed++) {
        struct source s[4] = { 0 };

        for (int i = 0; i < 4; i++)
            loop_queue(&loop, &s[i]);
        ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), 0);
        ck_assert_ptr_eq(loop_next(&loop), &s[0]);
        loop_queue(&loop, &s[0]);
        loop_unqueue(&loop, &s[removed]);
        for (int i = 1; i < 4; i++)
            if (i != removed)
                ck_assert_ptr_eq(loop_next(&loop), &s[i]);
        ck_assert_ptr_null(loop_next(&loop));
        ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), 0);
        ck_assert_ptr_eq(loop_next(&loop), &s[0]);
        ck_assert_ptr_null(loop_next(&loop));
    }
}
END_TEST

/* Readiness is reported again, to the new source. */
START_TEST(modified_for_another_source)
{
    int peer;
    struct source first = source_new(&peer), second = { .fd = first.fd };

    ck_assert_int_eq(loop_modify(&loop, &first, ALL), -ENOENT);
    ck_assert_int_eq(loop_add(&loop, &first, ALL), 0);
    send_byte(peer);
    check_news(&first);
    ck_assert_int_eq(loop_modify(&loop, &second, ALL), 0);
    check_news(&second);
    ck_assert_int_eq(second.ready, READY_IN | READY_OUT);
    ck_assert_ptr_null(loop_next(&loop));
    close(peer);
    close(first.fd);
}
END_TEST

/* Room that is already there is an edge for a source that asks for it now. */
START_TEST(modified_for_other_events)
{
    int peer;
    struct source s = source_new(&peer);

    ck_assert_int_eq(loop_add(&loop, &s, EPOLLIN), 0);
    ck_assert_int_eq(loop_wait(&loop, 0), 0);
    ck_assert_ptr_null(loop_next(&loop));
    ck_assert_int_eq(loop_modify(&loop, &s, ALL), 0);
    check_news(&s);
    ck_assert_int_eq(s.ready, READY_OUT);
    ck_assert_int_eq(loop_modify(&loop, &s, EPOLLIN), 0);
    send_byte(s.fd);
    receive_byte(peer); /* with EPOLLOUT this would wake us: unix(7), unix_write_space() */
    ck_assert_int_eq(loop_wait(&loop, 0), 0);
    ck_assert_ptr_null(loop_next(&loop));
    close(peer);
    close(s.fd);
}
END_TEST

/* Two events are in one batch, and the first one's owner closes the second source. The second event
 * still comes, so its memory must exist until the pass is over. */
START_TEST(closed_within_the_batch)
{
    enum { OPEN, CLOSED };
    struct source s[2];
    int peers[2], seen = 0;

    for (int i = 0; i < 2; i++) {
        s[i] = source_new(&peers[i]);
        ck_assert_int_eq(loop_add(&loop, &s[i], ALL), 0);
        send_byte(peers[i]);
    }
    ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), 0);
    for (struct source *now; (now = loop_next(&loop)); seen++) {
        struct source *other = &s[now == &s[0]];

        if (now->state == CLOSED)
            continue;
        loop_remove(&loop, other);
        close(other->fd);
        other->state = CLOSED;
    }
    ck_assert_int_eq(seen, 2);
    for (int i = 0; i < 2; i++)
        if (s[i].state == CLOSED)
            loop_unqueue(&loop, &s[i]);
    for (int i = 0; i < 2; i++)
        (void)send(peers[i], "x", 1, MSG_NOSIGNAL);
    ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), 0);
    ck_assert_int_eq(loop_next(&loop)->state, OPEN);
    ck_assert_ptr_null(loop_next(&loop));
}
END_TEST

/* The kernel drops a registration only with the last duplicate of the descriptor: epoll(7). */
START_TEST(removed_while_a_duplicate_lives)
{
    int peer, duplicate;
    struct source s = source_new(&peer);

    ck_assert_int_eq(loop_add(&loop, &s, ALL), 0);
    duplicate = dup(s.fd);
    loop_remove(&loop, &s);
    close(s.fd);
    send_byte(peer);
    ck_assert_int_eq(loop_wait(&loop, 0), 0);
    ck_assert_ptr_null(loop_next(&loop));
    close(duplicate);
    close(peer);
}
END_TEST

START_TEST(events_beyond_one_batch_come_later)
{
    enum { N = LOOP_EVENTS + 100 };
    static struct source s[N];
    int seen = 0;

    for (int i = 0; i < N; i++) {
        s[i].fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        ck_assert_int_ge(s[i].fd, 0);
        ck_assert_int_eq(loop_add(&loop, &s[i], EPOLLIN), 0);
    }
    for (int turn = 0; turn < 2; turn++) {
        ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), 0);
        for (struct source *now; (now = loop_next(&loop)); seen++) {
            ck_assert_int_eq(now->ready, READY_IN);
            ck_assert_int_eq(now->state++, 0);
        }
    }
    ck_assert_int_eq(seen, N);
    for (int i = 0; i < N; i++)
        close(s[i].fd);
}
END_TEST

static void nothing(_unused_ int number)
{
}

START_TEST(a_signal_ends_the_wait)
{
    struct sigaction action = { .sa_handler = nothing };
    /* Repeatedly, since a single signal before the wait would be lost. */
    struct itimerval often = { { 0, 10000 }, { 0, 10000 } }, never = { 0 };

    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), 0);
    ck_assert_ptr_null(loop_next(&loop));
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
}
END_TEST

static void *hand_over(void *fd)
{
    struct source *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->fd = *(int *)fd;
    return loop_add(&loop, s, ALL) == 0 ? s : NULL;
}

/* The waiting thread hears of the new socket because it is writable. ThreadSanitizer must know that
 * each way to wait orders the actions of the two threads. */
START_TEST(handed_over_by_another_thread)
{
    const uint64_t timeout_us = _i == 0 ? LOOP_FOREVER : 999;
    int peer, fd = source_new(&peer).fd;
    pthread_t thread;
    struct source *s;
    void *result;

    ck_assert_int_eq(pthread_create(&thread, NULL, hand_over, &fd), 0);
    do
        ck_assert_int_eq(loop_wait(&loop, timeout_us), 0);
    while (!(s = loop_next(&loop)));
    ck_assert_int_eq(s->fd, fd);
    ck_assert_int_eq(s->ready, READY_OUT);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_ptr_eq(result, s);
    free(s);
    close(peer);
    close(fd);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("loop");
    TCase *cases = tcase_create("loop");

    tcase_set_timeout(cases, 30);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, an_edge_comes_once_and_its_bit_stays);
    tcase_add_test(cases, room_is_an_edge_after_eagain);
    tcase_add_test(cases, reports_ends_of_the_stream);
    tcase_add_test(cases, reports_what_cannot_be_watched);
    tcase_add_test(cases, queued_sources_come_in_order);
    tcase_add_test(cases, queued_sources_come_before_new_events);
    tcase_add_test(cases, loop_again_does_not_ask_the_kernel);
    tcase_add_test(cases, waits_as_long_as_asked);
    tcase_add_test(cases, unqueueing_keeps_the_others);
    tcase_add_test(cases, unqueueing_the_only_one);
    tcase_add_test(cases, unqueued_within_the_pass);
    tcase_add_test(cases, modified_for_another_source);
    tcase_add_test(cases, modified_for_other_events);
    tcase_add_test(cases, closed_within_the_batch);
    tcase_add_test(cases, removed_while_a_duplicate_lives);
    tcase_add_test(cases, events_beyond_one_batch_come_later);
    tcase_add_test(cases, a_signal_ends_the_wait);
    tcase_add_loop_test(cases, handed_over_by_another_thread, 0, 2);
    suite_add_tcase(suite, cases);
    return suite;
}
