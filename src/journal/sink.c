/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <unistd.h>

#include "base/macros.h"
#include "journal/sink.h"

/* A batch that has held a large message does not keep its memory. */
#define BYTES_KEPT (2 * (size_t)SINK_BATCH_BYTES)

void sink_deinit(struct sink *s)
{
    s->fd = close_fd(s->fd);
    s->large_fd = close_fd(s->large_fd);
    buffer_free(&s->bytes);
}

int sink_open(struct sink *s)
{
    int fd = s->kind->open(s);

    if (fd < 0) {
        s->state = SINK_AWAY;
        return fd;
    }
    s->fd = fd;
    s->state = SINK_READY;
    return 0;
}

void sink_close(struct sink *s)
{
    s->fd = close_fd(s->fd);
    s->state = SINK_AWAY;
}

int sink_stage(struct sink *s, const struct record *record)
{
    size_t before = buffer_size(s->bytes);
    int r;

    if (s->state != SINK_READY || s->n_staged == SINK_BATCH_MAX || before >= SINK_BATCH_BYTES)
        return -EAGAIN;
    r = s->kind->encode(&s->bytes, record);
    if (r < 0) {
        buffer_truncate(s->bytes, before);
        return r;
    }
    s->ends[s->n_staged++] = buffer_size(s->bytes);
    return 0;
}

static void batch_clear(struct sink *s)
{
    s->n_staged = s->n_flushed = 0;
    if (s->bytes && s->bytes->capacity > BYTES_KEPT)
        buffer_free(&s->bytes);
    else
        buffer_clear(s->bytes);
}

static enum sink_state state_after(int error)
{
    switch (error) {
    case -EAGAIN:
        return SINK_BLOCKED;
    case -ENOBUFS:
    case -ENOMEM:
    case -EMFILE:
    case -ENFILE:
    case -ETOOMANYREFS:
    case -ENOSPC:
        return SINK_STRAINED;
    case -EBADMSG:
        return SINK_REFUSED;
    default:
        return SINK_AWAY;
    }
}

void sink_drop(struct sink *s)
{
    s->n_flushed++;
    s->state = SINK_READY;
    if (s->n_flushed == s->n_staged)
        batch_clear(s);
}

size_t sink_flush(struct sink *s)
{
    size_t flushed = 0;

    if (s->fd < 0)
        return 0;
    s->state = SINK_READY;
    while (s->n_flushed < s->n_staged) {
        ssize_t n = s->kind->send(s, s->n_flushed, s->n_staged - s->n_flushed);

        if (n == -EINTR)
            continue;
        if (n < 0) {
            s->state = state_after((int)n);
            break;
        }
        s->n_flushed += (size_t)n;
        flushed += (size_t)n;
    }
    if (s->n_flushed == s->n_staged)
        batch_clear(s);
    if (s->state == SINK_AWAY)
        sink_close(s);
    return flushed;
}
