/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/macros.h"
#include "log/file.h"
#include "log/writer.h"

#define CHUNKS_AT_ONCE 64

void writer_init(struct writer *w, struct store *store, uint64_t run, uint64_t serial,
                 uint64_t number)
{
    *w = (struct writer){
        .store = store,
        .run = run,
        .serial = serial,
        .number = number,
        .synced = number - 1,
        .fd = -1,
    };
}

static int fail(struct writer *w, int error)
{
    w->error = error;
    return error;
}

int writer_sync(struct writer *w)
{
    if (w->error < 0)
        return w->error;
    if (writer_is_synced(w))
        return 0;
    if (fdatasync(w->fd) < 0)
        return fail(w, -errno);
    w->synced = w->number - 1;
    return 0;
}

/* --- from segment to segment ---------------------------------------------------------------- */

static int begin_segment(struct writer *w, uint64_t now_us)
{
    struct log_head head = {
        .serial = w->serial,
        .run = w->run,
        .created_us = now_us,
        .first = w->number,
    };
    int fd;

    if (getrandom(&head.salt, sizeof head.salt, 0) != sizeof head.salt)
        return -errno;
    fd = store_take(w->store, w->serial, &head);
    if (fd < 0)
        return fd;
    w->fd = fd;
    w->serial++;
    w->head = head;
    w->offset = LOG_HEAD_SIZE;
    w->size = w->store->limits.segment_size;
    w->newest_us = 0;
    w->index = log_index_new();
    return 0;
}

/* The index goes behind the records. Without it the segment is as good, but slower to search: so it
 * does not matter where it does not fit. */
static void write_index(struct writer *w, uint64_t *size)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t n;

    if (!w->index)
        return;
    bytes = log_index_encode(w->index, w->head.salt, &n);
    if (bytes && file_write(w->fd, bytes, n, w->offset) == 0)
        *size += n;
}

static int end_segment(struct writer *w)
{
    struct stored stored = {
        .serial = w->head.serial,
        .newest_us = w->newest_us,
        .first = w->head.first,
        .last = w->number - 1,
    };
    int r = writer_sync(w);

    if (r < 0)
        return r;
    stored.size = w->offset;
    write_index(w, &stored.size);
    if (ftruncate(w->fd, (off_t)stored.size) < 0 || fsync(w->fd) < 0)
        return fail(w, -errno);
    r = store_add(w->store, &stored);
    w->fd = close_fd(w->fd);
    log_index_free(STEAL_PTR(w->index));
    /* Out of memory: it is there, and found at the next start; until then it is never removed. */
    (void)r;
    return 0;
}

int writer_deinit(struct writer *w)
{
    int r = w->fd >= 0 && w->error == 0 ? end_segment(w) : w->error;

    w->fd = close_fd(w->fd);
    log_index_free(STEAL_PTR(w->index));
    return r;
}

/* --- records -------------------------------------------------------------------------------- */

/* Returns the number that comes after the chunk's records. */
static uint64_t seal(const struct writer *w, const struct chunk *chunk, uint64_t number,
                     uint64_t now_us)
{
    for (size_t at = 0; at < chunk->size; number++) {
        struct log_seal seal = {
            .number = number,
            .time_us = now_us,
            .distance = (uint32_t)MIN(number - 1 - w->synced, (uint64_t)UINT32_MAX),
        };

        at += log_record_seal(chunk->bytes + at, w->head.salt, &seal);
    }
    return number;
}

static void add_to_index(struct writer *w, const struct chunk *chunk, uint64_t offset)
{
    for (size_t at = 0, size; at < chunk->size && w->index; at += size) {
        const uint8_t *p = chunk->bytes + at;
        struct log_entry e = {
            .offset = offset + at,
            .number = log_record_number(p),
            .time_us = log_record_time(p),
            .connection = log_record_connection(p),
        };

        size = log_record_claim(p);
        e.end = e.offset + size;
        if (log_index_add(w->index, &e) < 0)
            log_index_free(STEAL_PTR(w->index));
    }
}

/* All, at the offset. An error leaves a part of them there, which the next attempt overwrites. */
static int write_chunks(const struct writer *w, const struct chunk *chunks, size_t n)
{
    struct iovec vectors[CHUNKS_AT_ONCE];
    size_t total = 0;
    ssize_t r;

    for (size_t i = 0; i < n; i++) {
        vectors[i] = (struct iovec){ chunks[i].bytes, chunks[i].size };
        total += chunks[i].size;
    }
    do
        r = pwritev(w->fd, vectors, (int)n, (off_t)w->offset);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return -errno;
    /* A short write is rare, and most of all before an error, which the rest then meets. */
    for (size_t i = 0, done = (size_t)r, at = 0; done < total && i < n; at += chunks[i++].size) {
        size_t skip = done > at ? MIN(done - at, chunks[i].size) : 0;
        int error =
            file_write(w->fd, chunks[i].bytes + skip, chunks[i].size - skip, w->offset + at + skip);

        if (error < 0)
            return error;
    }
    return 0;
}

/* How many of the chunks the segment has room for. */
static size_t fitting(const struct writer *w, const struct chunk *chunks, size_t n)
{
    uint64_t left = w->size - w->offset;
    size_t fit = 0;

    while (fit < n && fit < CHUNKS_AT_ONCE && chunks[fit].size <= left)
        left -= chunks[fit++].size;
    return fit;
}

/* The first records of a chunk that is larger than a segment: as many as fit into an empty one. */
static struct chunk beginning(const struct writer *w, const struct chunk *chunk)
{
    uint64_t left = w->size - w->offset;
    struct chunk part = { chunk->bytes, log_record_claim(chunk->bytes) };

    assert(part.size <= left);
    while (part.size < chunk->size) {
        size_t next = log_record_claim(chunk->bytes + part.size);

        if (part.size + next > left)
            break;
        part.size += next;
    }
    return part;
}

/* The keeper makes room on the disk, and says why there is none. */
static void tell_store(struct writer *w, int error)
{
    bool refused = store_has_no_room(error);

    if (!refused && !(w->refused && error == 0))
        return;
    store_press(w->store, error);
    w->refused = refused;
}

static int write_records(struct writer *w, const struct chunk *chunks, size_t n, uint64_t now_us)
{
    uint64_t number = w->number;
    int r;

    for (size_t i = 0; i < n; i++)
        number = seal(w, &chunks[i], number, now_us);
    r = write_chunks(w, chunks, n);
    tell_store(w, r);
    if (r < 0)
        return store_error_passes(r) ? r : fail(w, r);
    for (size_t i = 0; i < n; w->offset += chunks[i++].size)
        add_to_index(w, &chunks[i], w->offset);
    w->number = number;
    w->newest_us = MAX(w->newest_us, now_us);
    return 0;
}

/* A segment that has room for the first chunk, or an empty one. */
static int find_room(struct writer *w, const struct chunk *chunk, uint64_t now_us)
{
    int r = w->error;

    if (r == 0 && w->fd >= 0 && w->offset > LOG_HEAD_SIZE && fitting(w, chunk, 1) == 0)
        r = end_segment(w);
    if (r == 0 && w->fd < 0)
        r = begin_segment(w, now_us);
    return r == 0 || (w->error == 0 && store_error_passes(r)) ? r : fail(w, r);
}

ssize_t writer_append(struct writer *w, struct chunk *chunks, size_t n, uint64_t now_us)
{
    struct chunk part;
    size_t fit;
    int r;

    assert(n > 0);
    r = find_room(w, &chunks[0], now_us);
    if (r < 0)
        return r;
    fit = fitting(w, chunks, n);
    if (fit > 0) {
        r = write_records(w, chunks, fit, now_us);
        return r < 0 ? r : (ssize_t)fit;
    }
    part = beginning(w, &chunks[0]);
    r = write_records(w, &part, 1, now_us);
    if (r < 0)
        return r;
    chunks[0].bytes += part.size;
    chunks[0].size -= part.size;
    return chunks[0].size == 0;
}
