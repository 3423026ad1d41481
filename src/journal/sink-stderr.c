/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>

#include "base/macros.h"
#include "journal/entry.h"
#include "journal/sink.h"
#include "journal/stderr.h"

/*
 * A line for each record on standard error, for answerd started by hand. Lines go out whole, and at
 * most PIPE_BUF bytes at once, so that those of several workers do not mix (pipe(7)).
 */

static int sink_stderr_open(_unused_ struct sink *s)
{
    return stderr_open();
}

static int sink_stderr_encode(struct buffer **out, const struct record *record)
{
    int r = entry_text(out, record);

    return r < 0 ? r : buffer_append(out, "\n", 1);
}

/* The start of a line that was cut short must not be written again: what was taken is consumed from
 * the batch. */
static void consume(struct sink *s, size_t n)
{
    buffer_consume(s->bytes, n);
    for (size_t i = s->n_flushed; i < s->n_staged; i++)
        s->ends[i] -= MIN(n, s->ends[i]);
}

static ssize_t sink_stderr_send(struct sink *s, size_t first, size_t n)
{
    size_t end = first, taken = 0;
    ssize_t written;

    while (end < first + n && (end == first || s->ends[end] <= PIPE_BUF))
        end++;
    written = stderr_write(s->fd, buffer_head(s->bytes), s->ends[end - 1]);
    if (written < 0)
        return written;
    while (taken < end - first && s->ends[first + taken] <= (size_t)written)
        taken++;
    consume(s, (size_t)written);
    return taken > 0 ? (ssize_t)taken : -EAGAIN;
}

static const struct sink_kind stderr_kind = {
    .open = sink_stderr_open,
    .encode = sink_stderr_encode,
    .send = sink_stderr_send,
};

void sink_init_stderr(struct sink *s)
{
    *s = (struct sink){ .kind = &stderr_kind, .fd = -1, .large_fd = -1, .state = SINK_AWAY };
}
