/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/macros.h"
#include "hooks.h"
#include "record/event-log.h"

_Thread_local struct hooks hooks;

void hooks_reset(void)
{
    hooks = (struct hooks){ .now_us = UINT64_C(1000000000000), .timeout_us = UINT64_MAX };
}

void hooks_fail_allocation(unsigned n)
{
    hooks.allocation = n;
    hooks.allocation_failed = false;
}

bool hooks_allocation_failed(void)
{
    hooks.allocation = 0;
    return hooks.allocation_failed;
}

/* Fails once with the given errno. */
static bool fails(int *error)
{
    if (*error == 0)
        return false;
    errno = *error;
    *error = 0;
    return true;
}

static bool allocation_fails(void)
{
    if (hooks.allocation == 0 || --hooks.allocation > 0)
        return false;
    hooks.allocation_failed = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    return allocation_fails() ? NULL : __real_reallocarray(p, n, size);
}

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    if (hooks.now_us == 0)
        return __real_clock_gettime(id, t);
    *t = (struct timespec){ .tv_sec = (time_t)(hooks.now_us / 1000000),
                            .tv_nsec = (long)(hooks.now_us % 1000000 * 1000) };
    return 0;
}

int __real_epoll_wait(int fd, struct epoll_event *events, int n, int ms);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int ms);
int __wrap_epoll_pwait2(int fd, struct epoll_event *events, int n, const struct timespec *timeout,
                        const sigset_t *signals);

static int wait_for_events(int fd, struct epoll_event *events, int n, uint64_t timeout_us)
{
    uint64_t ms = timeout_us == UINT64_MAX ? UINT64_MAX : DIV_ROUND_UP(timeout_us, UINT64_C(1000));
    int r;

    if (hooks.now_us == 0)
        return __real_epoll_wait(fd, events, n,
                                 ms == UINT64_MAX ? -1 : (int)MIN(ms, (uint64_t)INT_MAX));
    hooks.timeout_us = timeout_us;
    if (fails(&hooks.wait_error))
        return -1;
    r = __real_epoll_wait(fd, events, n, timeout_us > 0 ? hooks.patience_ms : 0);
    if (r > 0)
        hooks.events += (uint64_t)r;
    return r;
}

int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int ms)
{
    return wait_for_events(fd, events, n, ms < 0 ? UINT64_MAX : (uint64_t)ms * 1000);
}

int __wrap_epoll_pwait2(int fd, struct epoll_event *events, int n, const struct timespec *timeout,
                        _unused_ const sigset_t *signals)
{
    return wait_for_events(fd, events, n,
                           (uint64_t)timeout->tv_sec * 1000000 + (uint64_t)timeout->tv_nsec / 1000);
}

int __real_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    hooks.modified += operation == EPOLL_CTL_MOD;
    if ((operation == EPOLL_CTL_ADD && fails(&hooks.add_error)) ||
        (operation == EPOLL_CTL_MOD && fails(&hooks.modify_error)))
        return -1;
    return __real_epoll_ctl(epoll, operation, fd, event);
}

int __real_accept4(int fd, struct sockaddr *sa, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *size, int flags)
{
    hooks.now_us += hooks.accept_us;
    hooks.accept_us = 0;
    if (hooks.accept_fails == 0)
        return __real_accept4(fd, sa, size, flags);
    hooks.accept_fails--;
    errno = hooks.accept_error;
    return -1;
}

_printf_(2, 3) bool __wrap_event_log(enum event event, const char *format, ...);
_printf_(3, 4) void __wrap_event_log_about(enum event event, const struct event_about *about,
                                           const char *format, ...);

_printf_(2, 0) static void note(enum event event, const char *format, va_list arguments)
{
    hooks.logged[event]++;
    if (hooks.on_log)
        hooks.on_log(event);
    (void)vsnprintf(hooks.last_logged, sizeof hooks.last_logged, format, arguments);
}

bool __wrap_event_log(enum event event, const char *format, ...)
{
    va_list arguments;

    if (hooks.log_is_full)
        return false;
    va_start(arguments, format);
    note(event, format, arguments);
    va_end(arguments);
    return true;
}

void __wrap_event_log_about(enum event event, _unused_ const struct event_about *about,
                            const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    note(event, format, arguments);
    va_end(arguments);
}
