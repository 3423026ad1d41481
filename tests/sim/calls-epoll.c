/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls of epoll(7) and eventfd(2). */

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>

#include "base/macros.h"
#include "calls.h"
#include "descriptors.h"
#include "epoll.h"
#include "eventfd.h"
#include "fiber.h"
#include "observer.h"
#include "seed.h"
#include "task.h"
#include "trace.h"

static int new_descriptor(struct sim_file *file)
{
    if (sim_fault(SIM_NO_DESCRIPTOR) || sim_fault(SIM_NO_KERNEL)) {
        static const int errors[] = { EMFILE, ENFILE, ENOMEM };

        sim_file_unref(file);
        return -errors[sim_below(ARRAY_SIZE(errors))];
    }
    return sim_descriptor_new(file, 0);
}

int __wrap_epoll_create1(int flags)
{
    if (!sim_world_stands)
        return __real_epoll_create1(flags);
    sim_call_enter();
    return (int)sim_call_leave("epoll_create1", -1, 0, new_descriptor(sim_epoll_new()));
}

int __wrap_eventfd(unsigned count, int flags)
{
    struct sim_file *file;

    if (!sim_world_stands)
        return __real_eventfd(count, flags);
    sim_call_enter();
    file = sim_eventfd_new(count);
    sim_file_set_nonblocking(file, flags & EFD_NONBLOCK);
    return (int)sim_call_leave("eventfd", -1, count, new_descriptor(file));
}

static int control(int epoll, int operation, int fd, struct epoll_event *event)
{
    struct sim_file *e = sim_call_file("epoll_ctl", epoll), *file = sim_call_file("epoll_ctl", fd);

    if (!e || !file)
        return -EBADF;
    if (operation == EPOLL_CTL_ADD && sim_fault(SIM_NO_KERNEL))
        return sim_below(2) > 0 ? -ENOSPC : -ENOMEM;
    return sim_epoll_control(e, operation, fd, file, event);
}

int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (!sim_world_stands)
        return __real_epoll_ctl(epoll, operation, fd, event);
    sim_call_enter();
    return (int)sim_call_leave("epoll_ctl", fd, (uint64_t)operation,
                               control(epoll, operation, fd, event));
}

struct sleeping {
    struct sim_sleeper sleeper;
    struct sim_fiber *fiber;
};

static void on_woken(struct sim_sleeper *sleeper)
{
    struct sim_fiber *fiber = CONTAINER_OF(sleeper, struct sleeping, sleeper)->fiber;

    if (fiber)
        sim_fiber_wake(fiber);
}

/* A thread sleeps; the main program lets the world turn. False: the time is over. */
static bool sleep_until(struct sim_file *epoll, uint64_t until)
{
    struct sleeping s = { .sleeper = { on_woken }, .fiber = sim_fiber_self() };
    bool turned = true;

    sim_epoll_sleep(epoll, &s.sleeper);
    if (s.fiber)
        sim_fiber_sleep(until);
    else
        turned = sim_turn(until);
    sim_epoll_sleep(epoll, NULL);
    return turned && sim_now() < until;
}

static int wait_for(int fd, struct epoll_event *events, int n, uint64_t timeout_ns)
{
    struct sim_file *epoll = sim_call_file("epoll_wait", fd);
    uint64_t until = timeout_ns == SIM_NEVER ? SIM_NEVER : sim_now() + timeout_ns;
    int found;
    bool more = true;

    if (!epoll)
        return -EBADF;
    if (!sim_epoll_is(epoll) || n <= 0)
        return -EINVAL;
    if (sim_fault(SIM_DISTURB))
        sim_epoll_disturb(epoll);
    for (;;) {
        found = sim_epoll_collect(epoll, events, n);
        if (found > 0 || timeout_ns == 0 || !more)
            return found;
        if (sim_fault(SIM_INTERRUPT))
            return -EINTR;
        more = sleep_until(epoll, until);
        if (!more && timeout_ns == SIM_NEVER)
            return -EDEADLK; /* and nothing will ever happen */
    }
}

/* A thread that need not wait still lets others go first. Otherwise it would stop the world from
 * turning. */
static int wait_call(const char *name, int fd, struct epoll_event *events, int n, uint64_t timeout)
{
    int found;

    sim_observe(waiting, sim_call_file(name, fd), timeout);
    sim_call_enter();
    if (sim_fiber_self())
        sim_fiber_yield();
    found = wait_for(fd, events, n, timeout);
    for (int i = 0; i < found; i++)
        sim_trace_event(events[i].events);
    return (int)sim_call_leave(name, fd, timeout, found);
}

int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    if (!sim_world_stands)
        return __real_epoll_wait(fd, events, n, timeout);
    return wait_call("epoll_wait", fd, events, n,
                     timeout < 0 ? SIM_NEVER : (uint64_t)timeout * SIM_MS);
}

int __wrap_epoll_pwait2(int fd, struct epoll_event *events, int n, const struct timespec *timeout,
                        const sigset_t *mask)
{
    if (!sim_world_stands)
        return __real_epoll_pwait2(fd, events, n, timeout, mask);
    return wait_call("epoll_pwait2", fd, events, n,
                     timeout ? (uint64_t)timeout->tv_sec * SIM_S + (uint64_t)timeout->tv_nsec
                             : SIM_NEVER);
}
