/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/segment.h"

/*
 * The folder of a log, as its one writer sees it: which segments there are, which have to go, and
 * the spare. The spare is the next segment's file, written with zeros beforehand: to sync a record
 * that overwrites such bytes, the disk need not write where the file's blocks are.
 *
 * Two threads use a store. The keeper makes spares and removes segments: store_keep(). The writer
 * takes the spare, and hands over segments that are complete. Neither waits for the other's disk
 * accesses.
 */

#define STORE_LIMITED (-EXFULL) /* MaxUse= or KeepFree= is reached */

static inline bool store_has_no_room(int error)
{
    return error == -ENOSPC || error == -EDQUOT || error == STORE_LIMITED;
}

/* Whether to try again: room, memory, descriptors and the next segment may come to be. Nothing else
 * gets better by itself. */
static inline bool store_error_passes(int error)
{
    return error == -EAGAIN || error == -EMFILE || error == -ENFILE || error == -ENOMEM ||
           store_has_no_room(error);
}

/* Their names in the folder. */
#define STORE_LOCK  "lock"
#define STORE_SPARE "spare"

/* UINT64_MAX: no limit. */
struct store_limits {
    uint64_t segment_size; /* bytes */
    uint64_t max_use;      /* bytes of all files */
    uint64_t keep_free;    /* bytes of the disk, for others */
    uint64_t max_age_us;   /* of a segment's last record */
    bool wait;             /* where there is no room, wait: remove nothing but by age */
};

/* A segment that is complete. */
struct stored {
    uint64_t serial;
    uint64_t size;        /* bytes on the disk */
    uint64_t newest_us;   /* the time of its last record */
    uint64_t first, last; /* numbers of its records */
};

struct store {
    int dir_fd; /* locked */
    struct store_limits limits;
    atomic_bool stopping;  /* no spare is needed any more */
    pthread_mutex_t mutex; /* for what follows; it is held for a moment, never over a disk access */
    struct stored *segments; /* oldest first */
    size_t n;
    bool writing; /* a spare was taken, and its segment is not complete yet */
    bool has_spare;
    int refused;    /* why the disk does not take what the writer writes: -ENOSPC; 0: it does */
    bool pressed;   /* the disk has refused: remove the oldest segment, if that may help */
    uint64_t freed; /* bytes removed since the disk refused, and has taken nothing yet */
    int error;      /* why there is no spare: a negative errno; 0: it is not made yet */
    uint64_t removed_to; /* the number of the last record that was removed; 0: none was */

    /* For the keeper alone. */
    uint64_t kept;  /* serial of the last segment that could not be removed; 0: there is none */
    int kept_error; /* why: a negative errno */
};

/* Opens the folder, which is made if only its last part is missing, and locks it. 0; -EWOULDBLOCK:
 * another process writes to it, *ret_holder is its process id, or 0; or a negative errno.
 * store_close() follows in all cases. */
int store_open(struct store *s, const char *directory, pid_t *ret_holder);
void store_close(struct store *s);

/* Before anything else: sets the limits. */
void store_limit(struct store *s, const struct store_limits *limits);

/* Hands over a segment that is complete. 0 or -ENOMEM. */
int store_add(struct store *s, const struct stored *segment);

/* Does one thing that has to be done: removes a segment, or makes the spare. 1: there may be more to
 * do; 0: nothing is left to do; -ENOSPC: the disk has no room for a spare, or for what the writer
 * writes; STORE_LIMITED: the limits leave none, and nothing may be removed; -EAGAIN: store_stop() was
 * called; or another negative errno. now_us: CLOCK_REALTIME. */
int store_keep(struct store *s, uint64_t now_us);

/* From any thread: the keeper is about to end. A spare that is not complete is dropped. */
void store_stop(struct store *s);

/* From the writer: the disk has no room for a record, -ENOSPC or -EDQUOT; or 0: it has again. */
void store_press(struct store *s, int error);

/* Makes the spare the segment of that serial, on the disk too. Its descriptor, to be closed by the
 * caller; -EAGAIN: there is none yet; -EEXIST: such a segment is there already; or another negative
 * errno, also the one that keeps the keeper from making a spare. If store_error_passes(), it can be
 * called again. */
int store_take(struct store *s, uint64_t serial, const struct log_head *head);
