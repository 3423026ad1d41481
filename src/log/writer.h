/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "log/index.h"
#include "log/store.h"

/*
 * The end of a log, where records are added. One thread uses it.
 *
 * Records get their numbers here. A record is in the log for certain when writer_sync() has returned
 * after writer_append(). An error is final, unless writer_append() returns one that passes. After a
 * failed fdatasync(2) the kernel has dropped what it could not write, and the next call would report
 * success.
 */

struct writer {
    struct store *store;
    uint64_t run;            /* see struct log_head */
    uint64_t serial, number; /* of the next segment, and of the next record */
    uint64_t synced;         /* number of the last record that is synced */
    int error;               /* final; 0 */
    bool refused;            /* the disk had no room for the last record */

    /* The segment that is written to. */
    int fd; /* -1: none is, until a record comes */
    struct log_head head;
    uint64_t offset, size;
    uint64_t newest_us;      /* the latest time of its records */
    struct log_index *index; /* NULL: it will have none, for lack of memory */
};

/* Encoded records, one behind the other, without what log_record_seal() adds. Each has at most
 * log_record_max() bytes. */
struct chunk {
    uint8_t *bytes;
    size_t size;
};

/* serial, number: of the segment and of the record that come next. */
void writer_init(struct writer *w, struct store *store, uint64_t run, uint64_t serial,
                 uint64_t number);

/* Completes the segment. 0 or a negative errno. */
int writer_deinit(struct writer *w);

/* Seals the records, and writes the oldest chunks: as many as fit into the segment. Of a chunk that is
 * larger than a segment it writes the first records, and the chunk is what is left. Returns how many
 * chunks are written whole; -EAGAIN: the next segment is not ready; another negative errno for which
 * store_error_passes(); or one that is final. now_us: CLOCK_REALTIME. */
ssize_t writer_append(struct writer *w, struct chunk *chunks, size_t n, uint64_t now_us);

/* Waits until all that was appended is on the disk. 0, or a negative errno, which is final. */
int writer_sync(struct writer *w);

static inline bool writer_is_synced(const struct writer *w)
{
    return w->synced + 1 == w->number;
}
