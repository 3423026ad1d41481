/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macros.h"
#include "sink-fake.h"

static struct sink_fake *fake_of(const struct sink *s)
{
    return CONTAINER_OF((struct sink *)(uintptr_t)s, struct sink_fake, sink);
}

static int fake_open(struct sink *s)
{
    struct sink_fake *f = fake_of(s);
    int fd;

    f->opens++;
    if (f->open_error != 0)
        return -f->open_error;
    /* Like any regular file, a memory file cannot be watched. */
    fd = f->is_file ? memfd_create("fake", MFD_CLOEXEC) : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static void fake_free(struct sink *s)
{
    struct sink_fake *f = fake_of(s);

    free(f->records);
    free(f);
}

static size_t fake_room(const struct sink *s)
{
    const struct sink_fake *f = fake_of(s);

    return f->places - MIN(f->places, f->staged - f->told);
}

static int fake_stage(struct sink *s, const struct record *record)
{
    struct sink_fake *f = fake_of(s);
    struct fake_record *all = f->records, *new;
    size_t n = MIN(record->size, sizeof new->text - 1);

    /* It doubles whenever the count is a power of two. */
    if ((f->staged & (f->staged - 1)) == 0)
        all = reallocarray(all, MAX(2 * f->staged, (size_t)1), sizeof *all);
    if (!all)
        return -ENOMEM;
    f->records = all;
    new = &all[f->staged++];
    *new = (struct fake_record){ .connection = record->connection, .seq = record->seq };
    memcpy(new->text, record->data, n);
    return 0;
}

static void take(struct sink_fake *f)
{
    size_t n = MIN(f->takes, f->staged - f->taken);

    f->taken += n;
    if (f->takes != SIZE_MAX)
        f->takes -= n;
    if (!f->later)
        f->done = f->taken;
}

static size_t fake_submit(struct sink *s, int *ret_error)
{
    struct sink_fake *f = fake_of(s);
    uint64_t value;
    size_t n;

    f->submits++;
    (void)!read(s->fd, &value, sizeof value);
    if (f->refuses == SINK_READY)
        take(f);
    s->state = f->refuses;
    if (f->refuses == SINK_READY && f->done < f->staged)
        s->state = SINK_BUSY;
    n = f->done - f->told;
    if (f->failing > f->told && f->failing <= f->done) {
        n = f->failing - f->told - 1;
        f->failing = 0;
        f->told++;
        *ret_error = -EPERM;
    }
    f->told += n;
    return n;
}

static const struct sink_ops fake_ops = {
    .open = fake_open,
    .free = fake_free,
    .room = fake_room,
    .stage = fake_stage,
    .submit = fake_submit,
};

struct sink_fake *sink_fake_new(void)
{
    struct sink_fake *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    f->sink = (struct sink){ .ops = &fake_ops, .state = SINK_AWAY, .fd = -1, .events = EPOLLIN };
    f->places = BATCH_RECORDS;
    f->takes = SIZE_MAX;
    return f;
}

void sink_fake_wake(struct sink_fake *f)
{
    (void)!write(f->sink.fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

void sink_fake_finish(struct sink_fake *f, size_t n)
{
    f->done += MIN(n, f->taken - f->done);
    sink_fake_wake(f);
}

void sink_fake_make_room(struct sink_fake *f, size_t n)
{
    f->takes += n;
    sink_fake_wake(f);
}
