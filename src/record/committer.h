/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "log/store.h"
#include "log/writer.h"

/*
 * Group commit: workers hand over parcels of records, and one thread writes them to the log. It
 * takes all parcels that are there, writes them, syncs once, and gives them back. Meanwhile the
 * next ones gather. No worker waits for it, and no lock is taken: a parcel comes by an atomic list,
 * and goes back by an atomic flag and an eventfd.
 */

/* Encoded records of one worker, and who has them. */
struct parcel {
    struct buffer *bytes;
    size_t n;               /* records */
    bool ends_refused;      /* the record behind these can never be made */
    int fd;                 /* an eventfd of its own: it has come back */
    atomic_bool away;       /* with the committer */
    atomic_uint references; /* the sink's, and the committer's */
    struct parcel *next;    /* of the committer */
};

/* fd: an eventfd, which is duplicated. 0 or a negative errno. To be freed with parcel_free(). */
int parcel_new(int fd, struct parcel **ret);
/* Also while it is away: then its records may be written or not. NULL is fine. */
void parcel_free(struct parcel *p);

#define COMMITTER_NEVER UINT64_MAX

struct committer {
    struct writer writer;
    uint64_t record_max; /* bytes of the largest record that fits into a segment */
    uint64_t sync_us; /* 0: sync, and only then give back. Else give back once written, and sync as
                         often as that */

    /* For all threads. */
    _Atomic(struct parcel *) arrived; /* newest first */
    atomic_bool open;                 /* takes parcels */
    atomic_int error;                 /* final: a negative errno; nothing comes back any more */
    atomic_bool blocked;              /* what is left finds no room: on the disk, or
                                         for a segment */
    int wake_fd;                      /* eventfd: there is something to do for the committer */
    int keep_fd; /* eventfd: there is something to do for the keeper, see store_keep() */

    /* For the mirror. */
    atomic_uint_least64_t synced; /* number of the last synced record */
    atomic_bool watched;          /* the mirror sleeps until more is synced */
    int synced_fd;                /* eventfd: wakes it */

    /* The committer's own. */
    struct parcel *first, **end; /* oldest first: not written yet */
    struct parcel *written;      /* but not given back */
    uint64_t sync_at_us;         /* when a sync is due, CLOCK_MONOTONIC; COMMITTER_NEVER */
};

/* Not open yet. 0 or a negative errno; committer_deinit() follows in both cases. */
int committer_init(struct committer *c);
void committer_deinit(struct committer *c);

/* From now on it takes parcels. The writer is set up, and belongs to the committer. */
void committer_open(struct committer *c, uint64_t sync_us);

/* From any thread: hands over a parcel with records. p->away is true until it comes back. */
void committer_send(struct committer *c, struct parcel *p);

/* Does what there is to do. Returns how long there will be nothing, in µs, unless it is woken:
 * COMMITTER_NEVER, or a time. */
uint64_t committer_step(struct committer *c);

/* The number of the last record that is synced. From any thread. */
static inline uint64_t committer_synced(const struct committer *c)
{
    return atomic_load_explicit(&c->synced, memory_order_acquire);
}

/* The mirror is about to sleep: the next sync writes to c->synced_fd once. False: more than `synced`
 * is synced already. */
bool committer_watch(struct committer *c, uint64_t synced);

/* Writes and syncs what is left, and completes the segment. 0 or a negative errno. */
int committer_close(struct committer *c);
