/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "record/stderr.h"

int stderr_open(void)
{
    struct stat st;
    int fd = -1;

    if (fstat(STDERR_FILENO, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode) && !S_ISREG(st.st_mode)) {
        fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (fd < 0 && errno != EACCES && errno != ENOENT && errno != ENXIO)
            return -errno;
    }
    /* After su(1), a terminal or pipe may belong to someone else and cannot be opened. */
    if (fd < 0)
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}

/* A pipe that is ready takes PIPE_BUF bytes at once (pipe(7)). Callers never write more. */
static bool would_block(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && !(flags & O_NONBLOCK) && poll(&p, 1, 0) == 0;
}

ssize_t stderr_write(int fd, const void *data, size_t size)
{
    ssize_t n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno == ENOTSOCK)
        n = would_block(fd) ? -EAGAIN : write(fd, data, size);
    return n == -1 ? -errno : n;
}
