/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "record/mirror-cursor.h"
#include "record/sink.h"

/*
 * Mirror=journal: copies each synced record of the log to the journal. It reads the log, not what
 * the workers send, so no reply ever waits for it. If the journal is slow or away, it falls behind
 * and catches up later, after a restart too.
 *
 * Its position, the number of the last record that the journal took, is in the file `mirror` of the
 * log's folder. The file is written after each batch, and never synced. So a crash of the daemon
 * repeats one batch at most, and a crash of the system may repeat more. Neither skips a record.
 * Without a position, the mirror begins with the oldest record in the log.
 *
 * The file has 20 bytes: "answmir\n"; the number, 8 bytes little-endian; and their CRC-32C, 4 bytes
 * little-endian.
 */

#define MIRROR_NEVER UINT64_MAX

/* Why a record did not reach the journal. */
enum mirror_miss { MISS_REMOVED, MISS_UNREADABLE, MISS_REFUSED, MIRROR_MISSES };

struct mirror {
    struct sink *sink;
    struct mirror_cursor cursor;
    atomic_uint_least64_t mirrored; /* number of the last record that the journal took */
    bool watch;                     /* wait for POLLOUT on the sink's descriptor, too */

    int file_fd;
    uint64_t saved;   /* the position in the file */
    bool save_failed; /* that was reported */

    size_t places;         /* size of the journal's queue: the most records it took at once */
    uint64_t backoff_us;   /* interval between attempts to reach a journal that is away */
    uint64_t tell_next_us; /* CLOCK_MONOTONIC */
    uint64_t missed[MIRROR_MISSES]; /* records to be reported */
    int refused_error;              /* of the last MISS_REFUSED */
};

/* dir_fd: the log's folder, borrowed. synced: the number of the last record that is synced, or 0.
 * journal_path: as for sink_journal_new(). 0 or a negative errno; mirror_deinit() follows in both
 * cases. */
int mirror_init(struct mirror *m, int dir_fd, uint64_t synced, const char *journal_path);

/* Reports what is still to be reported. */
void mirror_deinit(struct mirror *m);

/* Copies one batch, without blocking. Returns how long to wait before the next step, in µs:
 * MIRROR_NEVER, until more is synced. If m->watch is set, room in the journal ends the wait. now_us:
 * CLOCK_MONOTONIC. */
uint64_t mirror_step(struct mirror *m, uint64_t synced, uint64_t now_us);

/* How many synced records are not in the journal yet. From any thread. */
uint64_t mirror_waiting(const struct mirror *m, uint64_t synced);
