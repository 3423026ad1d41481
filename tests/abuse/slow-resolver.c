/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * A library to preload: DNS that does not answer. Looking up slow.test waits until the file named
 * by SLOW_RESOLVER exists, then returns 127.0.0.1. When the wait begins, it makes a file with
 * .asked added to that name. All other names are looked up as usual.
 */

static void wait_for(const char *path)
{
    while (access(path, F_OK) != 0)
        (void)nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    const char *path = getenv("SLOW_RESOLVER");
    char asked[256];
    FILE *file;

    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (!path || !node || strcmp(node, "slow.test") != 0)
        return real(node, service, hints, ret);
    (void)snprintf(asked, sizeof asked, "%s.asked", path);
    file = fopen(asked, "we");
    if (file)
        (void)fclose(file);
    wait_for(path);
    return real("127.0.0.1", service, hints, ret);
}
