/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/*
 * A library to preload: changes the time of day, which no test may set on the machine. The file
 * named by SHIFT_CLOCK holds the difference in seconds, a 64-bit number, and may change at any
 * time. The monotonic clocks stay, as when the time is set (clock_gettime(2)). But if a second
 * number follows, they stop at that nanosecond, so that no timer expires.
 */

#define NS_PER_S 1000000000

static const volatile int64_t *shift;

__attribute__((constructor)) static void map_shift(void)
{
    const char *path = getenv("SHIFT_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0)
        return;
    map = mmap(NULL, 2 * sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (map != MAP_FAILED)
        shift = map;
}

/* mmap(2) fills up a file with one number with zeros. */
static void stand_still(struct timespec *t)
{
    int64_t end = shift[1], now = (int64_t)t->tv_sec * NS_PER_S + t->tv_nsec;

    if (end > 0 && now > end)
        *t = (struct timespec){ .tv_sec = end / NS_PER_S, .tv_nsec = end % NS_PER_S };
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    static int (*real)(clockid_t, struct timespec *);
    int r;

    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    r = real(id, t);
    if (r == 0 && shift && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        t->tv_sec += (time_t)*shift;
    if (r == 0 && shift && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE))
        stand_still(t);
    return r;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec t;

    (void)zone; /* obsolete (gettimeofday(2)) */
    if (clock_gettime(CLOCK_REALTIME, &t) < 0)
        return -1;
    *tv = (struct timeval){ .tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000 };
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec t;

    if (clock_gettime(CLOCK_REALTIME, &t) < 0)
        return -1;
    if (ret)
        *ret = t.tv_sec;
    return t.tv_sec;
}
