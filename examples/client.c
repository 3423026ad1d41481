/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* client HOST PORT MESSAGE...: sends each message and prints each reply. */

#include <netdb.h>
#include <signal.h>
#include <stdio.h>
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

int main(int argc, char *argv[])
{
    int fd = argc > 3 ? connect_to(argv[1], argv[2]) : -1;
    FILE *replies = fd < 0 ? NULL : fdopen(fd, "r");
    char reply[1024];

    if (!replies)
        return 3;
    signal(SIGPIPE, SIG_IGN);
    for (int i = 3; i < argc; i++) {
        /* Without a complete reply, the message may or may not be recorded. */
        if (dprintf(fd, "%s\n", argv[i]) < 0 || !fgets(reply, sizeof reply, replies) ||
            !strchr(reply, '\n'))
            return 5;
        if (strncmp(reply, "error: ", 7) == 0)
            return 1;
        fputs(reply, stdout);
    }
    return 0;
}
