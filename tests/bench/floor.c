/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The floor: the least work that a single-threaded epoll server on TCP can do for a message. It
 * echoes, without framing, limits, timeouts, counters or memory per connection.
 *
 * It uses every kernel fact that saves a call, as any server may: accepted sockets inherit
 * TCP_NODELAY from the listener (tcp(7)), and accept4(2) makes them non-blocking; a short read has
 * emptied a TCP socket unless the stream has ended (epoll(7)); close(2) removes a socket from the
 * epoll set. So a message costs one recv(), one send() and its share of an epoll_wait(). A
 * connection costs accept4(), epoll_ctl(), the recv() that sees its end, and close().
 *
 * With --thread it has a second thread, which does nothing. In a single-threaded process a system
 * call borrows the open file from the descriptor table. If threads share the table, it must count
 * references, in a cache line of the file (fdget() in the kernel's fs/file.c). Every server with
 * threads pays this cost.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENDED (EPOLLRDHUP | EPOLLHUP | EPOLLERR)

static int epoll_fd;
static char bytes[128 * 1024];

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void watch(int fd, uint32_t events)
{
    struct epoll_event event = { .events = events | EPOLLET, .data.fd = fd };

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static void accept_all(int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        watch(fd, EPOLLIN | EPOLLRDHUP);
    if (errno != EAGAIN && errno != ECONNABORTED)
        die("accept4");
}

static void echo(int fd, uint32_t events)
{
    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            break;
        /* It keeps no unsent bytes: a peer that does not take its replies is cut off. */
        if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
            break;
        if ((size_t)n < sizeof bytes && !(events & ENDED))
            return;
    }
    (void)close(fd);
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) < 0 ||
        bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        die("listen");
    (void)fprintf(stderr, "listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
    return fd;
}

static void *idle(void *unused)
{
    (void)pause();
    return unused;
}

int main(int argc, char **argv)
{
    static struct epoll_event events[256];
    struct rlimit limit;
    pthread_t thread;
    int listener;

    if (argc == 2 && strcmp(argv[1], "--thread") == 0 &&
        pthread_create(&thread, NULL, idle, NULL) != 0)
        die("pthread_create");

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        die("epoll_create1");
    listener = listen_on_loopback();
    watch(listener, EPOLLIN);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, 256, -1);

        if (n < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                accept_all(listener);
            else
                echo(events[i].data.fd, events[i].events);
        }
    }
}
