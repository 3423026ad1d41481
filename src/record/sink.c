/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>

#include "base/macros.h"
#include "record/sink.h"

void sink_free(struct sink *s)
{
    if (!s)
        return;
    s->fd = close_fd(s->fd);
    s->ops->free(s);
}

int sink_open(struct sink *s)
{
    int fd;

    assert(s->fd < 0 && s->state == SINK_AWAY);
    fd = s->ops->open(s);
    if (fd < 0)
        return fd;
    s->fd = fd;
    s->state = SINK_READY;
    return 0;
}

size_t sink_room(const struct sink *s)
{
    return s->ops->room(s);
}

int sink_stage(struct sink *s, const struct record *record)
{
    int r = sink_room(s) > 0 ? s->ops->stage(s, record) : -EAGAIN;

    if (r == 0)
        s->n_waiting++;
    return r;
}

size_t sink_submit(struct sink *s, int *ret_error)
{
    size_t done;

    *ret_error = 0;
    if (s->fd < 0)
        return 0;
    s->state = SINK_READY;
    done = s->ops->submit(s, ret_error);
    assert(done + (*ret_error < 0) <= s->n_waiting);
    s->n_waiting -= done + (*ret_error < 0);
    if (s->state == SINK_AWAY)
        s->fd = close_fd(s->fd);
    return done;
}

enum sink_state sink_state_after(int error)
{
    switch (error) {
    case -EAGAIN:
        return SINK_BUSY;
    case -ENOBUFS:
    case -ENOMEM:
    case -EMFILE:
    case -ENFILE:
    case -ETOOMANYREFS:
    case -ENOSPC:
        return SINK_STRAINED;
    default:
        return SINK_AWAY;
    }
}
