/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>

#include "base/macros.h"
#include "own.h"
#include "ring.h"
#include "terminal.h"

struct terminal {
    struct sim_file file;
    struct terminal *next, **pprev;
};

static struct {
    struct sim_ring bytes;
    size_t capacity;
    struct terminal *files;
} reader;

void sim_terminal_begin(bool plain)
{
    (void)plain;
    reader.capacity = 65536;
}

void sim_terminal_end(void)
{
    sim_ring_free(&reader.bytes);
}

void sim_terminal_set_capacity(size_t bytes)
{
    reader.capacity = bytes;
}

static size_t room(void)
{
    size_t used = (size_t)sim_ring_size(&reader.bytes);

    return used < reader.capacity ? reader.capacity - used : 0;
}

static uint32_t terminal_poll(struct sim_file *file)
{
    (void)file;
    return room() >= PIPE_BUF ? EPOLLOUT | EPOLLWRNORM : 0;
}

static void terminal_release(struct sim_file *file)
{
    struct terminal *t = (struct terminal *)file;

    if (t->next)
        t->next->pprev = t->pprev;
    *t->pprev = t->next;
    sim_own_free(t);
}

static ssize_t terminal_write(struct sim_file *file, const void *bytes, size_t n)
{
    size_t taken = MIN(n, room());

    (void)file;
    if (n > 0 && (taken == 0 || (n <= PIPE_BUF && taken < n)))
        return -EAGAIN;
    sim_ring_put(&reader.bytes, bytes, taken);
    return (ssize_t)taken;
}

static const struct sim_file_kind terminal_kind = {
    .name = "terminal",
    .poll = terminal_poll,
    .release = terminal_release,
    .write = terminal_write,
};

struct sim_file *sim_terminal_open(void)
{
    struct terminal *t = sim_own_alloc(sizeof *t);

    sim_file_init(&t->file, &terminal_kind);
    t->next = reader.files;
    t->pprev = &reader.files;
    if (t->next)
        t->next->pprev = &t->next;
    reader.files = t;
    return &t->file;
}

bool sim_terminal_is(const struct sim_file *file)
{
    return file->kind == &terminal_kind;
}

size_t sim_terminal_read(void *bytes, size_t n)
{
    size_t taken = MIN(n, (size_t)sim_ring_size(&reader.bytes));

    sim_ring_peek(&reader.bytes, bytes, taken);
    sim_ring_drop(&reader.bytes, taken);
    for (struct terminal *t = reader.files; taken > 0 && t; t = t->next)
        sim_file_wake(&t->file, EPOLLOUT | EPOLLWRNORM);
    return taken;
}
