/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "conformance.h"
#include "datagram.h"
#include "descriptors.h"
#include "fiber.h"
#include "task.h"
#include "world.h"

#define LONG_MS  2000
#define SHORT_MS 30

static struct sockaddr_un socket_address = { .sun_family = AF_UNIX };

bool asking_model(void)
{
    return sim_world_stands;
}

void ask(int whom)
{
    if (whom == ASK_MODEL) {
        sim_world_begin(SIM_PLAIN, false);
        sim_datagram_set_places(10);
    }
    (void)snprintf(socket_address.sun_path, sizeof socket_address.sun_path, "/tmp/answerd-%d-%d",
                   whom, getpid());
    (void)unlink(socket_address.sun_path);
}

int watch_too(int epoll, int fd, unsigned events)
{
    struct epoll_event event = { .events = events | EPOLLET };

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int watch(int fd, unsigned events)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    ck_assert_int_ge(epoll, 0);
    ck_assert_int_eq(watch_too(epoll, fd, events), 0);
    return epoll;
}

static unsigned events_within(int epoll, int ms)
{
    struct epoll_event event = { 0 };
    int n = epoll_wait(epoll, &event, 1, ms);

    ck_assert_int_ge(n, 0);
    return n > 0 ? event.events : 0;
}

unsigned edge(int epoll)
{
    unsigned events = events_within(epoll, LONG_MS);

    ck_assert_msg(events != 0, "no edge came");
    return events;
}

unsigned edge_now(int epoll)
{
    return events_within(epoll, 0);
}

void no_edge(int epoll)
{
    ck_assert_uint_eq(events_within(epoll, SHORT_MS), 0);
}

void let_time_pass(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    ck_assert_uint_eq(events_within(epoll, SHORT_MS), 0);
    close(epoll);
}

void await(int fd, unsigned events)
{
    struct epoll_event event = { .events = events };
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    ck_assert_uint_ne(edge(epoll) & events, 0);
    close(epoll);
}

static void unblock(int fd)
{
    ck_assert_int_eq(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

int listening(enum family family, int backlog)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(family == TCP ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    ck_assert_int_ge(fd, 0);
    if (family == TCP)
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    else
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&socket_address, sizeof socket_address), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    return fd;
}

int connection_to(int l)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int fd;

    ck_assert_int_eq(getsockname(l, (struct sockaddr *)&address, &size), 0);
    fd = socket(address.ss_family, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, size), 0);
    unblock(fd);
    return fd;
}

int accepted_from(int l)
{
    int fd;

    await(l, IN);
    fd = accept4(l, NULL, NULL, SOCK_NONBLOCK);
    ck_assert_int_ge(fd, 0);
    return fd;
}

void connected(enum family family, int fds[2])
{
    int l;

    if (family == UNIX) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        return;
    }
    l = listening(TCP, 1);
    fds[1] = connection_to(l);
    fds[0] = accepted_from(l);
    close(l);
}

void send_bytes(int fd, size_t n)
{
    char bytes[65536] = "";

    ck_assert_int_eq(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

size_t fill(int fd)
{
    char bytes[4096] = "";
    size_t sum = 0;
    ssize_t n;

    while ((n = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL)) > 0)
        sum += (size_t)n;
    ck_assert_int_eq(errno, EAGAIN);
    return sum;
}

int receive(int fd, size_t n)
{
    char bytes[65536];
    ssize_t r = recv(fd, bytes, n, 0);

    return r < 0 ? -errno : (int)r;
}

size_t drain(int fd)
{
    size_t sum = 0;
    int n;

    while ((n = receive(fd, 65536)) > 0)
        sum += (size_t)n;
    return sum;
}

int unsent(int fd)
{
    int n = -1;

    ck_assert_int_eq(ioctl(fd, SIOCOUTQ, &n), 0);
    return n;
}

const char *socket_path(void)
{
    return socket_address.sun_path;
}

int bound(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&socket_address, sizeof socket_address), 0);
    return fd;
}

int sender(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&socket_address, sizeof socket_address), 0);
    /* So that many small datagrams fit. */
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 212992 }, sizeof(int)), 0);
    return fd;
}

unsigned qlen(void)
{
    unsigned n = 10;
    FILE *f = asking_model() ? NULL : fopen("/proc/sys/net/unix/max_dgram_qlen", "re");

    if (f) {
        ck_assert_int_eq(fscanf(f, "%u", &n), 1);
        (void)fclose(f);
    }
    return n;
}

/* --- sleeping threads --- */

#define MAX_SLEEPERS 4

static struct sleeper {
    int epoll;
    unsigned events;
    pthread_t thread;
    pid_t tid;
    struct sim_fiber *fiber;
} sleepers[MAX_SLEEPERS];
static unsigned n_sleepers;

static void sleep_in(struct sleeper *s)
{
    struct epoll_event event = { 0 };

    if (epoll_wait(s->epoll, &event, 1, 200) > 0)
        __atomic_store_n(&s->events, event.events, __ATOMIC_SEQ_CST);
}

static void *run_thread(void *userdata)
{
    sleep_in(userdata);
    return NULL;
}

static void run_fiber(void *userdata)
{
    sleep_in(userdata);
}

void fall_asleep(const int *epolls, unsigned n)
{
    for (n_sleepers = 0; n_sleepers < n; n_sleepers++) {
        struct sleeper *s = &sleepers[n_sleepers];

        *s = (struct sleeper){ .epoll = epolls[n_sleepers] };
        if (asking_model())
            s->fiber = sim_fiber_new(run_fiber, s);
        else
            ck_assert_int_eq(pthread_create(&s->thread, NULL, run_thread, s), 0);
    }
    let_time_pass();
}

unsigned woken(unsigned i)
{
    return __atomic_load_n(&sleepers[i].events, __ATOMIC_SEQ_CST);
}

void wake_up_all(void)
{
    for (unsigned i = 0; i < n_sleepers; i++)
        if (asking_model()) {
            while (!sim_fiber_ended(sleepers[i].fiber))
                ck_assert(sim_turn(SIM_NEVER));
            sim_fiber_free(sleepers[i].fiber);
        } else {
            ck_assert_int_eq(pthread_join(sleepers[i].thread, NULL), 0);
        }
}

void forbid_descriptors(bool forbid)
{
    static struct rlimit before;
    struct rlimit limit;

    if (asking_model()) {
        sim_descriptors_limit(forbid ? 0 : 1000, SIZE_MAX);
        return;
    }
    if (forbid) {
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
        limit = before;
        limit.rlim_cur = 0;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    } else {
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    }
}

static void end(void)
{
    (void)unlink(socket_address.sun_path);
    if (asking_model())
        sim_world_end();
}

Suite *test_suite(void);

Suite *test_suite(void)
{
    Suite *s = suite_create("conformance");
    TCase *epoll = tcase_create("epoll"), *stream = tcase_create("stream"),
          *listeners = tcase_create("listening"), *datagram = tcase_create("datagram");

    tcase_add_checked_fixture(epoll, NULL, end);
    tcase_add_checked_fixture(stream, NULL, end);
    tcase_add_checked_fixture(listeners, NULL, end);
    tcase_add_checked_fixture(datagram, NULL, end);
    add_epoll_cases(epoll);
    add_stream_cases(stream);
    add_listening_cases(listeners);
    add_datagram_cases(datagram);
    add_file_cases(datagram);
    suite_add_tcase(s, epoll);
    suite_add_tcase(s, stream);
    suite_add_tcase(s, listeners);
    suite_add_tcase(s, datagram);
    return s;
}
