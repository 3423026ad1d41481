/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flood SOCKET N: hands N entries to a journald as fast as that takes them, and does nothing else:
 * what answerd's recording is measured against. They are the entries that answerd writes for N
 * messages over 50 connections, no two alike, so that journald has as much to store for each. It
 * waits for room by poll(2), which speaks of the journal's queue only on a connected socket.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/parse.h"
#include "journal/entry.h"

#define CONNECTIONS 50
#define BATCH       64

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static int connect_journal(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(address.sun_path, path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die(path);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 8 * 1024 * 1024 }, sizeof(int));
    return fd;
}

static void append_entry(struct buffer **out, uint64_t number)
{
    static const char message[] = "0123456789abcdef";
    uint64_t connection = 1 + number % CONNECTIONS, seq = 1 + number / CONNECTIONS;
    char id[64], port[8], name[32];
    struct record record = {
        .data = (const uint8_t *)message,
        .size = strlen(message),
        .id = id,
        .peer = "127.0.0.1",
        .peer_port = port,
        .peer_name = name,
        .listener = "default",
        .connection = connection,
        .seq = seq,
    };

    (void)snprintf(id, sizeof id, "%016" PRIx64 "-%" PRIu64 "-%" PRIu64,
                   UINT64_C(0x5eed5eed5eed5eed), connection, seq);
    (void)snprintf(port, sizeof port, "%" PRIu64, 40000 + connection);
    (void)snprintf(name, sizeof name, "127.0.0.1:%s", port);
    if (entry_record(out, &record) < 0)
        die("entry_record");
}

static void send_batch(int fd, struct mmsghdr *messages, unsigned n)
{
    struct pollfd room = { .fd = fd, .events = POLLOUT };

    for (unsigned sent = 0; sent < n;) {
        int r = sendmmsg(fd, messages + sent, n - sent, MSG_NOSIGNAL);

        if (r >= 0)
            sent += (unsigned)r;
        else if (errno == EAGAIN)
            (void)poll(&room, 1, -1);
        else if (errno != EINTR)
            die("sendmmsg");
    }
}

static void flood(int fd, uint64_t total)
{
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    struct buffer *bytes = NULL;

    for (uint64_t at = 0; at < total;) {
        size_t ends[BATCH];
        unsigned n = 0;

        buffer_clear(bytes);
        for (; n < BATCH && at < total; at++, n++) {
            append_entry(&bytes, at);
            ends[n] = buffer_size(bytes);
        }
        for (unsigned i = 0; i < n; i++) {
            size_t start = i > 0 ? ends[i - 1] : 0;

            vectors[i] = (struct iovec){ buffer_head(bytes) + start, ends[i] - start };
            messages[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1 };
        }
        send_batch(fd, messages, n);
    }
    buffer_free(&bytes);
}

int main(int argc, char **argv)
{
    uint64_t total, start;
    double seconds;
    int fd;

    if (argc != 3 || parse_u64(argv[2], &total) < 0) {
        (void)fputs("usage: flood SOCKET N\n", stderr);
        return EXIT_FAILURE;
    }
    fd = connect_journal(argv[1]);
    start = clock_ns(CLOCK_MONOTONIC);
    flood(fd, total);
    seconds = (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9;
    (void)printf("%.0f\n", (double)total / seconds);
    return EXIT_SUCCESS;
}
