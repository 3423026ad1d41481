/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "answerlog/follow.h"
#include "base/macros.h"

int follow_open(const char *directory)
{
    _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0 ||
        inotify_add_watch(fd, directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return -errno;
    return STEAL_FD(fd);
}

/* Takes all events that are there: what they say is seen in the folder. */
static int drain(int fd)
{
    _Alignas(struct inotify_event) char events[16 * 1024];
    ssize_t n;

    do
        n = read(fd, events, sizeof events);
    while (n > 0);
    return n < 0 && errno != EAGAIN ? -errno : 1;
}

int follow_wait(int fd)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = STDOUT_FILENO } };

    while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
        if (errno != EINTR)
            return -errno;
    if (fds[1].revents & (POLLERR | POLLHUP))
        return 0;
    return drain(fd);
}
