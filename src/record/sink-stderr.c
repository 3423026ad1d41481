/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/macros.h"
#include "record/batch.h"
#include "record/entry.h"
#include "record/sink.h"
#include "record/stderr.h"

/*
 * Writes a line to standard error for each record, when answerd was started by hand. It writes
 * whole lines, at most PIPE_BUF bytes at once, so that lines of several workers do not mix
 * (pipe(7)).
 */

struct sink_stderr {
    struct sink sink;
    struct batch batch;
};

static struct sink_stderr *stderr_of(struct sink *s)
{
    return CONTAINER_OF(s, struct sink_stderr, sink);
}

static int sink_stderr_open(_unused_ struct sink *s)
{
    return stderr_open();
}

static int sink_stderr_stage(struct sink *sink, const struct record *record)
{
    struct batch *b = &stderr_of(sink)->batch;
    int r = entry_text(&b->bytes, record);

    if (r >= 0)
        r = buffer_append(&b->bytes, "\n", 1);
    if (r < 0)
        batch_drop(b);
    else
        batch_keep(b);
    return r;
}

static size_t sink_stderr_room(const struct sink *sink)
{
    return batch_room(&stderr_of((struct sink *)sink)->batch);
}

/* The size of as many whole lines as fit in PIPE_BUF, or of one longer line. */
static size_t some_lines(const struct batch *b)
{
    size_t lines = 0, size = 0, next;

    while (lines < batch_records(b)) {
        (void)batch_record(b, b->first + lines, &next);
        if (lines > 0 && size + next > PIPE_BUF)
            break;
        size += next;
        lines++;
    }
    return size;
}

/* Notes that this many bytes were written. The written part of a cut line must not be written
 * again. Returns the number of lines that are now complete. */
static size_t leave_written(struct batch *b, size_t written)
{
    size_t lines = 0, size;

    while (written > 0) {
        (void)batch_record(b, b->first, &size);
        if (size > written) {
            batch_leave_bytes(b, written);
            break;
        }
        batch_leave(b, 1);
        written -= size;
        lines++;
    }
    return lines;
}

static size_t sink_stderr_submit(struct sink *sink, _unused_ int *ret_error)
{
    struct sink_stderr *s = stderr_of(sink);
    size_t done = 0;

    while (batch_records(&s->batch) > 0) {
        size_t size = some_lines(&s->batch), first;
        ssize_t n;

        n = stderr_write(sink->fd, batch_record(&s->batch, s->batch.first, &first), size);
        if (n == -EINTR)
            continue;
        if (n < 0) {
            sink->state = sink_state_after((int)n);
            break;
        }
        done += leave_written(&s->batch, (size_t)n);
    }
    return done;
}

static void sink_stderr_free(struct sink *sink)
{
    struct sink_stderr *s = stderr_of(sink);

    batch_free(&s->batch);
    free(s);
}

static const struct sink_ops stderr_ops = {
    .open = sink_stderr_open,
    .free = sink_stderr_free,
    .room = sink_stderr_room,
    .stage = sink_stderr_stage,
    .submit = sink_stderr_submit,
};

struct sink *sink_stderr_new(void)
{
    struct sink_stderr *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->sink = (struct sink){
        .ops = &stderr_ops,
        .state = SINK_AWAY,
        .fd = -1,
        .events = EPOLLOUT,
    };
    return &s->sink;
}
