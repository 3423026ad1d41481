/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>

/*
 * A library to preload: limits the epoll sets of the process to FEW_WATCHES descriptors, like
 * fs.epoll.max_user_watches (epoll(7)). A test cannot set that, since it is for the whole machine.
 */

#define DESCRIPTORS 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned watches[DESCRIPTORS], total;

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    int (*real)(int, int, int, struct epoll_event *);
    const char *most = getenv("FEW_WATCHES");
    int r = -1;

    *(void **)&real = next("epoll_ctl");
    if (!most || fd < 0 || fd >= DESCRIPTORS)
        return real(epoll_fd, operation, fd, event);
    (void)pthread_mutex_lock(&lock);
    if (operation == EPOLL_CTL_ADD && total >= (unsigned)atoi(most))
        errno = ENOSPC;
    else
        r = real(epoll_fd, operation, fd, event);
    if (r == 0 && operation == EPOLL_CTL_ADD) {
        watches[fd]++;
        total++;
    }
    if (r == 0 && operation == EPOLL_CTL_DEL) {
        watches[fd]--;
        total--;
    }
    (void)pthread_mutex_unlock(&lock);
    return r;
}

int close(int fd)
{
    int (*real)(int);

    *(void **)&real = next("close");
    if (fd >= 0 && fd < DESCRIPTORS) {
        (void)pthread_mutex_lock(&lock);
        total -= watches[fd];
        watches[fd] = 0;
        (void)pthread_mutex_unlock(&lock);
    }
    return real(fd);
}
