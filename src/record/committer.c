/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/wake.h"
#include "record/committer.h"

#define PARCELS_AT_ONCE 64
/* Nothing announces that there is room on the disk again. */
#define LOOK_AGAIN_US UINT64_C(100000)

/* --- parcels -------------------------------------------------------------------------------- */

int parcel_new(int fd, struct parcel **ret)
{
    struct parcel *p = calloc(1, sizeof *p);

    if (!p)
        return -ENOMEM;
    atomic_init(&p->references, 1);
    p->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (p->fd < 0) {
        int error = -errno;

        free(p);
        return error;
    }
    *ret = p;
    return 0;
}

void parcel_free(struct parcel *p)
{
    if (!p || atomic_fetch_sub(&p->references, 1) > 1)
        return;
    buffer_free(&p->bytes);
    p->fd = close_fd(p->fd);
    free(p);
}

/* The sink may send it again, or free it, as soon as it is not away. */
static void give_back(struct parcel *p)
{
    atomic_store_explicit(&p->away, false, memory_order_release);
    wake(p->fd);
    parcel_free(p);
}

/* --- the committer ---------------------------------------------------------------------------- */

int committer_init(struct committer *c)
{
    *c = (struct committer){
        .wake_fd = -1, .keep_fd = -1, .synced_fd = -1, .sync_at_us = COMMITTER_NEVER
    };
    c->end = &c->first;
    c->wake_fd = wake_new();
    c->keep_fd = wake_new();
    c->synced_fd = wake_new();
    return MIN(0, MIN(c->wake_fd, MIN(c->keep_fd, c->synced_fd)));
}

static void discard(struct parcel *p)
{
    while (p) {
        struct parcel *next = p->next;

        parcel_free(p);
        p = next;
    }
}

void committer_deinit(struct committer *c)
{
    discard(atomic_exchange(&c->arrived, NULL));
    discard(STEAL_PTR(c->first));
    discard(STEAL_PTR(c->written));
    c->wake_fd = close_fd(c->wake_fd);
    c->keep_fd = close_fd(c->keep_fd);
    c->synced_fd = close_fd(c->synced_fd);
}

void committer_open(struct committer *c, uint64_t sync_us)
{
    c->record_max = log_record_max(c->writer.store->limits.segment_size);
    c->sync_us = sync_us;
    atomic_store(&c->synced, c->writer.synced);
    atomic_store(&c->open, true);
}

void committer_send(struct committer *c, struct parcel *p)
{
    struct parcel *first = atomic_load_explicit(&c->arrived, memory_order_relaxed);

    atomic_fetch_add_explicit(&p->references, 1, memory_order_relaxed);
    atomic_store_explicit(&p->away, true, memory_order_relaxed);
    do
        p->next = first;
    while (!atomic_compare_exchange_weak_explicit(&c->arrived, &first, p, memory_order_release,
                                                  memory_order_relaxed));
    /* Where there was one, the committer has been woken, and has yet to look. */
    if (!first)
        wake(c->wake_fd);
}

/* Those that have come since the last call go behind the others, in the order of their coming. */
static void take_arrived(struct committer *c)
{
    struct parcel *newest = atomic_exchange_explicit(&c->arrived, NULL, memory_order_acquire),
                  *oldest = NULL, **end;

    if (!newest)
        return;
    end = &newest->next;
    while (newest) {
        struct parcel *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    *c->end = oldest;
    c->end = end;
}

/* Nothing is given back any more. */
static uint64_t fail(struct committer *c, int error)
{
    atomic_store(&c->error, error);
    return COMMITTER_NEVER;
}

/* A sync that failed for want of room does not pass: the writer knows it. */
static bool passes(const struct committer *c, int error)
{
    return c->writer.error == 0 && store_error_passes(error);
}

/* The oldest n are written. */
static void move_on(struct committer *c, size_t n)
{
    for (; n > 0; n--) {
        struct parcel *p = c->first;

        c->first = p->next;
        p->next = c->written;
        c->written = p;
    }
    if (!c->first)
        c->end = &c->first;
}

/* Writes all that there is room for. 0; or a negative errno: something is left. */
static int write_parcels(struct committer *c)
{
    struct chunk chunks[PARCELS_AT_ONCE];

    while (c->first) {
        uint64_t serial = c->writer.serial;
        size_t n = 0;
        ssize_t r;

        for (struct parcel *p = c->first; p && n < PARCELS_AT_ONCE; p = p->next)
            chunks[n++] = (struct chunk){ buffer_head(p->bytes), buffer_size(p->bytes) };
        r = writer_append(&c->writer, chunks, n, clock_us(CLOCK_REALTIME));
        /* The spare is used up, or there is none, or no room for what was to be written. */
        if (r < 0 || c->writer.serial != serial)
            wake(c->keep_fd);
        if (r < 0)
            return (int)r;
        move_on(c, (size_t)r);
        if ((size_t)r < n)
            buffer_consume(c->first->bytes, buffer_size(c->first->bytes) - chunks[r].size);
    }
    return 0;
}

static void give_all_back(struct committer *c)
{
    while (c->written) {
        struct parcel *p = c->written;

        c->written = p->next;
        give_back(p);
    }
}

static int sync_now(struct committer *c)
{
    c->sync_at_us = COMMITTER_NEVER;
    return writer_sync(&c->writer);
}

/* Syncs, where it is due. 0 or a negative errno. */
static int sync_written(struct committer *c)
{
    uint64_t now_us;

    if (writer_is_synced(&c->writer)) {
        c->sync_at_us = COMMITTER_NEVER; /* the end of a segment has synced it */
        return 0;
    }
    if (c->sync_us == 0)
        return sync_now(c);
    now_us = clock_us(CLOCK_MONOTONIC);
    if (c->sync_at_us == COMMITTER_NEVER)
        c->sync_at_us = now_us + c->sync_us;
    return c->sync_at_us <= now_us ? sync_now(c) : 0;
}

static uint64_t until_sync(const struct committer *c)
{
    uint64_t now_us;

    if (c->sync_at_us == COMMITTER_NEVER)
        return COMMITTER_NEVER;
    now_us = clock_us(CLOCK_MONOTONIC);
    return c->sync_at_us > now_us ? c->sync_at_us - now_us : 0;
}

/* Tells the mirror. A mirror that is busy looks by itself, so it costs no system call. The order of
 * the two accesses matters, here and in committer_watch(): one of the two threads sees the other. */
static void publish(struct committer *c)
{
    if (atomic_load_explicit(&c->synced, memory_order_relaxed) == c->writer.synced)
        return;
    atomic_store(&c->synced, c->writer.synced);
    if (atomic_load(&c->watched) && atomic_exchange(&c->watched, false))
        wake(c->synced_fd);
}

bool committer_watch(struct committer *c, uint64_t synced)
{
    atomic_store(&c->watched, true);
    if (atomic_load(&c->synced) == synced)
        return true;
    atomic_store(&c->watched, false);
    return false;
}

uint64_t committer_step(struct committer *c)
{
    uint64_t wait;
    int r, error;

    if (atomic_load(&c->error) < 0)
        return COMMITTER_NEVER;
    take_arrived(c);
    r = write_parcels(c);
    if (r < 0 && !passes(c, r))
        return fail(c, r);
    atomic_store_explicit(&c->blocked, store_has_no_room(r), memory_order_relaxed);
    error = sync_written(c);
    if (error < 0)
        return fail(c, error);
    give_all_back(c);
    publish(c);
    wait = until_sync(c);
    return r < 0 ? MIN(wait, LOOK_AGAIN_US) : wait;
}

int committer_close(struct committer *c)
{
    int r;

    if (atomic_load(&c->open))
        (void)committer_step(c);
    if (!atomic_exchange(&c->open, false))
        return 0;
    r = writer_deinit(&c->writer);
    publish(c);
    return r;
}
