/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "journal/entry.h"
#include "journal/sink.h"

/*
 * A line for each record on standard error, for answerd started by hand.
 *
 * O_NONBLOCK belongs to the open file, which others share (the shell that started us, for one), so
 * it is not set on descriptor 2: standard error is opened again through /proc, which gives an open
 * file of our own (proc(5)). A socket cannot be opened so, but can be written to with MSG_DONTWAIT.
 *
 * Lines go out whole, and at most PIPE_BUF bytes at once, so that those of several workers do not
 * mix (pipe(7)).
 */

static int stderr_open(_unused_ struct sink *s)
{
    struct stat st;
    int fd;

    if (fstat(STDERR_FILENO, &st) < 0)
        return -errno;
    if (S_ISSOCK(st.st_mode))
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    /* A terminal that belongs to someone else, after su(1), cannot be opened; then writing may
     * block, as for everyone who writes there. */
    if (fd < 0 && (errno == EACCES || errno == ENOENT || errno == ENXIO))
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}

static int stderr_encode(struct buffer **out, const struct record *record)
{
    int r = entry_text(out, record);

    return r < 0 ? r : buffer_append(out, "\n", 1);
}

static ssize_t write_some(int fd, const uint8_t *data, size_t size)
{
    ssize_t n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno == ENOTSOCK)
        n = write(fd, data, size);
    return n < 0 ? -errno : n;
}

/* The start of a line that was cut short must not be written again: what was taken is consumed from
 * the batch. */
static void consume(struct sink *s, size_t n)
{
    buffer_consume(s->bytes, n);
    for (size_t i = s->n_flushed; i < s->n_staged; i++)
        s->ends[i] -= MIN(n, s->ends[i]);
}

static ssize_t stderr_send(struct sink *s, size_t first, size_t n)
{
    size_t end = first, taken = 0;
    ssize_t written;

    while (end < first + n && (end == first || s->ends[end] <= PIPE_BUF))
        end++;
    written = write_some(s->fd, buffer_head(s->bytes), s->ends[end - 1]);
    if (written < 0)
        return written;
    while (taken < end - first && s->ends[first + taken] <= (size_t)written)
        taken++;
    consume(s, (size_t)written);
    return taken > 0 ? (ssize_t)taken : -EAGAIN;
}

static const struct sink_kind stderr_kind = {
    .open = stderr_open,
    .encode = stderr_encode,
    .send = stderr_send,
};

void sink_init_stderr(struct sink *s)
{
    *s = (struct sink){ .kind = &stderr_kind, .fd = -1, .state = SINK_AWAY };
}
