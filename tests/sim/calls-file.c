/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls that are not only about sockets. */

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/macros.h"
#include "calls.h"
#include "datagram.h"
#include "descriptors.h"
#include "disk-file.h"
#include "fiber.h"
#include "memfile.h"
#include "names.h"
#include "observer.h"
#include "own.h"
#include "seed.h"
#include "stream.h"
#include "terminal.h"
#include "trace.h"

int __wrap_close(int fd)
{
    struct sim_file *file;

    if (!sim_world_stands)
        return __real_close(fd);
    sim_call_enter();
    file = sim_call_file("close", fd);
    if (file && file->refs == 1)
        sim_observe(closing, file);
    return (int)sim_call_leave("close", fd, 0, sim_descriptor_close(fd));
}

static int control(int fd, int command, long argument)
{
    struct sim_file *file = sim_call_file("fcntl", fd);

    if (!file)
        return -EBADF;
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if (sim_fault(SIM_NO_DESCRIPTOR))
            return -EMFILE;
        return sim_descriptor_new(sim_file_ref(file), (int)argument);
    case F_GETFD:
        return FD_CLOEXEC;
    case F_SETFD:
        return 0;
    case F_GETFL:
        return O_RDWR | (file->nonblocking ? O_NONBLOCK : 0);
    case F_SETFL:
        sim_file_set_nonblocking(file, argument & O_NONBLOCK);
        return 0;
    case F_ADD_SEALS:
        return sim_memfile_is(file) ? sim_memfile_seal(file, (unsigned)argument) : -EINVAL;
    case F_GET_SEALS:
        return sim_memfile_is(file) ? (int)sim_memfile_seals(file) : -EINVAL;
    default:
        sim_violate("fcntl(%d, %d) is not part of this world", fd, command);
        return -EINVAL;
    }
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list arguments;
    long argument;

    va_start(arguments, command);
    argument = va_arg(arguments, long);
    va_end(arguments);
    if (!sim_world_stands)
        return __real_fcntl(fd, command, argument);
    sim_call_enter();
    return (int)sim_call_leave("fcntl", fd, (uint64_t)command, control(fd, command, argument));
}

static int io_control(int fd, unsigned long request, int *value)
{
    struct sim_file *file = sim_call_file("ioctl", fd);
    struct sim_datagram *d;

    if (!file)
        return -EBADF;
    d = sim_datagram_of(file);
    if (request == SIOCOUTQ && sim_stream_is(file))
        *value = ((struct sim_stream *)file)->family->unsent((struct sim_stream *)file);
    else if (request == SIOCOUTQ && d)
        *value = sim_datagram_unsent(d);
    else if (request == FIONREAD && sim_stream_is(file)) {
        *value = ((struct sim_stream *)file)->family->unread((struct sim_stream *)file);
        sim_observe(unread, file, (size_t)*value);
    } else {
        return -ENOTTY;
    }
    return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!sim_world_stands)
        return __real_ioctl(fd, request, argument);
    sim_call_enter();
    return (int)sim_call_leave("ioctl", fd, request, io_control(fd, request, argument));
}

int __wrap_memfd_create(const char *name, unsigned flags)
{
    if (!sim_world_stands)
        return __real_memfd_create(name, flags);
    sim_call_enter();
    if (sim_memfile_forbidden())
        return (int)sim_call_leave("memfd_create", -1, flags, -EPERM);
    if (sim_fault(SIM_NO_DESCRIPTOR))
        return (int)sim_call_leave("memfd_create", -1, flags, -EMFILE);
    if (sim_fault(SIM_NO_KERNEL))
        return (int)sim_call_leave("memfd_create", -1, flags, -ENOMEM);
    return (int)sim_call_leave("memfd_create", -1, flags, sim_descriptor_new(sim_memfile_new(), 0));
}

static int open_path(const char *path, int flags)
{
    struct sim_file *file;

    if (strcmp(path, "/proc/self/fd/2") != 0 && strcmp(path, "/dev/stderr") != 0)
        return sim_disk_open_path(path, flags);
    if (sim_fault(SIM_NO_DESCRIPTOR))
        return -EMFILE;
    file = sim_terminal_open();
    sim_file_set_nonblocking(file, flags & O_NONBLOCK);
    return sim_descriptor_new(file, 0);
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    unsigned mode;

    va_start(arguments, flags);
    mode = va_arg(arguments, unsigned);
    va_end(arguments);
    if (!sim_world_stands)
        return __real_open(path, flags, mode);
    sim_call_enter();
    return (int)sim_call_leave("open", -1, (uint64_t)flags, open_path(path, flags));
}

int __wrap_fstat(int fd, struct stat *st)
{
    struct sim_file *file;

    if (!sim_world_stands)
        return __real_fstat(fd, st);
    sim_call_enter();
    file = sim_call_file("fstat", fd);
    if (!file)
        return (int)sim_call_leave("fstat", fd, 0, -EBADF);
    memset(st, 0, sizeof *st);
    st->st_mode = file->kind->is_socket ? S_IFSOCK : S_IFIFO;
    if (sim_disk_file_of(file))
        sim_inode_stat(sim_disk_file_of(file)->inode, st);
    return (int)sim_call_leave("fstat", fd, 0, 0);
}

/* A thread that waits for a file. */
struct waiting {
    struct sim_watch watch;
    struct sim_fiber *fiber;
};

static bool on_wake(struct sim_watch *watch, uint32_t key)
{
    (void)key;
    sim_fiber_wake(CONTAINER_OF(watch, struct waiting, watch)->fiber);
    return true;
}

/* The process was killed while the thread waited. */
static void on_gone(struct sim_watch *watch)
{
    sim_own_free(CONTAINER_OF(watch, struct waiting, watch));
}

static void sleep_for(struct sim_file *file, uint64_t until)
{
    struct waiting *w = sim_own_alloc(sizeof *w);

    w->watch.wake = on_wake;
    w->watch.gone = on_gone;
    w->fiber = sim_fiber_self();
    sim_watch_add(&w->watch, file, false);
    sim_fiber_sleep(until);
    sim_watch_remove(&w->watch);
    sim_own_free(w);
}

/* Of one descriptor. Code that serves many connections may not wait here, a thread of its own may. */
static int poll_file(struct pollfd *p, int timeout)
{
    uint64_t until = timeout < 0 ? SIM_NEVER : sim_now() + (uint64_t)timeout * SIM_MS;
    struct sim_file *file = sim_call_file("poll", p->fd);

    if (!file)
        return -EBADF;
    for (;;) {
        p->revents = (short)(file->kind->poll(file) & ((uint32_t)p->events | EPOLLERR | EPOLLHUP));
        if (p->revents != 0 || timeout == 0 || sim_now() >= until)
            return p->revents != 0;
        if (sim_fault(SIM_INTERRUPT))
            return -EINTR;
        assert(sim_fiber_self());
        sleep_for(file, until);
    }
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    if (!sim_world_stands)
        return __real_poll(fds, n, timeout);
    sim_call_enter();
    assert(n == 1);
    return (int)sim_call_leave("poll", fds->fd, (uint64_t)(int64_t)timeout,
                               poll_file(fds, timeout));
}

int __wrap_access(const char *path, int mode)
{
    if (!sim_world_stands)
        return __real_access(path, mode);
    sim_call_enter();
    return (int)sim_call_leave("access", -1, (uint64_t)mode, sim_name_access(path));
}

int __wrap_unlink(const char *path)
{
    if (!sim_world_stands)
        return __real_unlink(path);
    sim_call_enter();
    return (int)sim_call_leave("unlink", -1, 0, sim_name_unlink(path));
}

/* Not traced: the program reads the clock so often that it would hide everything else. */
int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    int r;

    if (!sim_world_stands && !sim_world_is_aside)
        return __real_clock_gettime(id, t);
    r = sim_clock_read(id, t);
    if (r == 0)
        return 0;
    errno = -r;
    return -1;
}

ssize_t __wrap_getrandom(void *bytes, size_t n, unsigned flags)
{
    if (!sim_world_stands)
        return __real_getrandom(bytes, n, flags);
    sim_call_enter();
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)sim_below(256);
    return sim_call_leave("getrandom", -1, n, (int64_t)n);
}
