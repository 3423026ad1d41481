/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * client HOST PORT MESSAGE...: sends each message and prints each reply.
 *
 * Exit status: 0 every message was answered; 1 a message was refused, or its reply was cut off; 2
 * usage; 3 no connection; 5 no reply.
 */

#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all;
    int fd = -1;

    if (getaddrinfo(host, port, &hints, &all) != 0)
        return -1;
    for (struct addrinfo *a = all; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(all);
    return fd;
}

static int fail(int status, const char *why, const char *text)
{
    fprintf(stderr, "client: %s: %s\n", why, text);
    return status;
}

int main(int argc, char *argv[])
{
    char *reply = NULL;
    size_t capacity = 0;

    if (argc < 4)
        return fail(2, "usage", "client HOST PORT MESSAGE...");

    int fd = connect_to(argv[1], argv[2]);
    FILE *replies = fd < 0 ? NULL : fdopen(fd, "r");

    if (!replies)
        return fail(3, "cannot connect", argv[1]);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 3; i < argc; i++) {
        /* Without a complete reply, the message may or may not be recorded. */
        ssize_t n = dprintf(fd, "%s\n", argv[i]) < 0 ? -1 : getline(&reply, &capacity, replies);

        if (n < 0)
            return fail(5, "no reply to the message", argv[i]);
        if (reply[n - 1] != '\n')
            return fail(1, "the reply was cut off", reply);
        reply[n - 1] = '\0';
        if (strncmp(reply, "error: ", 7) == 0)
            return fail(1, "refused", reply);
        puts(reply);
    }
    free(reply);
    return 0;
}
