/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "eventfd.h"
#include "own.h"

struct event_counter {
    struct sim_file file;
    uint64_t count;
};

static uint32_t counter_poll(struct sim_file *file)
{
    uint64_t count = ((struct event_counter *)file)->count;

    return (count > 0 ? EPOLLIN : 0U) | (count == UINT64_MAX ? EPOLLERR : 0U) |
           (count < UINT64_MAX - 1 ? EPOLLOUT : 0U);
}

static void counter_release(struct sim_file *file)
{
    sim_own_free(file);
}

static ssize_t counter_read(struct sim_file *file, void *bytes, size_t n)
{
    struct event_counter *c = (struct event_counter *)file;

    if (n < sizeof c->count)
        return -EINVAL;
    if (c->count == 0)
        return -EAGAIN;
    memcpy(bytes, &c->count, sizeof c->count);
    c->count = 0;
    sim_file_wake(file, EPOLLOUT);
    return sizeof c->count;
}

static ssize_t counter_write(struct sim_file *file, const void *bytes, size_t n)
{
    struct event_counter *c = (struct event_counter *)file;
    uint64_t more;

    if (n < sizeof more)
        return -EINVAL;
    memcpy(&more, bytes, sizeof more);
    if (more == UINT64_MAX)
        return -EINVAL;
    if (UINT64_MAX - 1 - c->count < more)
        return -EAGAIN;
    c->count += more;
    sim_file_wake(file, EPOLLIN);
    return sizeof more;
}

static const struct sim_file_kind counter_kind = {
    .name = "eventfd",
    .poll = counter_poll,
    .release = counter_release,
    .read = counter_read,
    .write = counter_write,
};

struct sim_file *sim_eventfd_new(uint64_t count)
{
    struct event_counter *c = sim_own_alloc(sizeof *c);

    sim_file_init(&c->file, &counter_kind);
    c->count = count;
    return &c->file;
}

bool sim_eventfd_is(const struct sim_file *file)
{
    return file->kind == &counter_kind;
}
