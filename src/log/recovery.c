/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "log/file.h"
#include "log/recovery.h"

/* Where an incomplete segment ends: before the first record that is not sound, and that no later
 * one vouches for. A record vouches for all those that it says were synced. */
static int find_end(struct segment *s, uint64_t *ret_end, uint64_t *ret_synced)
{
    uint64_t last = s->head.first - 1, synced = 0, end = 0, missing = 0;
    struct log_item item;
    int r;

    for (;;) {
        while ((r = segment_next(s, &item)) > 0) {
            last = item.number;
            synced = MAX(synced, last - 1 - MIN((uint64_t)item.distance, last - 1));
            if (end > 0 && missing <= synced)
                end = 0;
        }
        if (r < 0 && r != -EBADMSG)
            return r;
        if (end == 0) {
            end = s->offset;
            missing = last + 1;
        }
        r = segment_skip(s, last);
        if (r < 0)
            return r;
        if (r == 0)
            break;
    }
    *ret_end = end;
    *ret_synced = synced;
    return 0;
}

/* What the records up to the end are. */
struct survey {
    struct log_index *index;
    uint64_t n, n_damaged, last, newest_us;
    uint64_t unsynced; /* the offset of the first record that may not be on the disk */
};

static int survey(struct segment *s, uint64_t end, uint64_t synced, struct survey *ret)
{
    struct survey x = { .index = log_index_new(), .last = s->head.first - 1, .unsynced = end };
    struct log_item item;
    uint64_t offset;
    int r = x.index ? 0 : -ENOMEM;

    s->offset = LOG_HEAD_SIZE;
    while (r >= 0 && (offset = s->offset) < end) {
        r = segment_next(s, &item);
        if (r == 0 || r == -EBADMSG) {
            r = segment_skip(s, x.last);
            if (r == 0)
                break;
            continue;
        }
        if (r < 0)
            break;
        if (item.number > synced)
            x.unsynced = MIN(x.unsynced, offset);
        x.n++;
        x.n_damaged += item.number - x.last - 1;
        x.last = item.number;
        x.newest_us = MAX(x.newest_us, item.time_us);
        r = log_index_add(x.index, &(struct log_entry){
                                       .offset = offset,
                                       .end = s->offset,
                                       .number = item.number,
                                       .time_us = item.time_us,
                                       .connection = item.record.connection,
                                   });
    }
    if (r < 0) {
        log_index_free(x.index);
        return r;
    }
    *ret = x;
    return 0;
}

/* Writes the bytes anew. If a sync failed before, the kernel has them in memory but takes them for
 * written: a sync alone would not bring them to the disk. */
static int rewrite(int fd, uint64_t from, uint64_t end)
{
    uint8_t bytes[65536];
    int r = 0;

    for (size_t n; r >= 0 && from < end; from += n) {
        n = (size_t)MIN(end - from, (uint64_t)sizeof bytes);
        r = file_read(fd, bytes, n, from);
        if (r >= 0)
            r = file_write(fd, bytes, n, from);
    }
    return r;
}

/* Ends the file behind the records, with an index. */
static int complete(int dir_fd, const struct segment *s, uint64_t end, const struct survey *x,
                    uint64_t *ret_size)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    _cleanup_close_ int fd = -EBADF;
    char name[SEGMENT_NAME_MAX];
    size_t n;
    int r;

    segment_name(s->serial, name);
    bytes = log_index_encode(x->index, s->head.salt, &n);
    if (!bytes)
        return -ENOMEM;
    fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    /* With the first record, the head may not be on the disk either. */
    r = rewrite(fd, x->unsynced > LOG_HEAD_SIZE ? x->unsynced : 0, end);
    if (r < 0)
        return r;
    /* What is cut off is gone before anything takes its place: an index that is not whole counts as
     * none. */
    if (ftruncate(fd, (off_t)end) < 0 || fsync(fd) < 0)
        return -errno;
    r = file_write(fd, bytes, n, end);
    if (r == -ENOSPC)
        n = 0;
    else if (r < 0)
        return r;
    if (ftruncate(fd, (off_t)(end + n)) < 0 || fsync(fd) < 0)
        return -errno;
    *ret_size = end + n;
    return 0;
}

static int discard_empty(int dir_fd, uint64_t serial)
{
    char name[SEGMENT_NAME_MAX];

    segment_name(serial, name);
    return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* What the place of a segment in the log is. */
enum { FIRST = 1 << 0, LAST = 1 << 1 };

/* An empty last segment goes, unless it alone knows which number comes next. */
static int take_incomplete(struct store *store, struct segment *s, unsigned place,
                           struct stored *stored, struct recovery *rec)
{
    bool is_last = place & LAST, discard;
    uint64_t end = s->size, synced = UINT64_MAX, written = 0;
    struct survey x;
    int r = 0;

    /* The next segment was begun only when this one was synced: nothing of it is torn. */
    if (is_last) {
        r = find_end(s, &end, &synced);
        s->offset = end;
        if (r >= 0)
            r = segment_written_end(s, &written);
    }
    if (r >= 0)
        r = survey(s, end, synced, &x);
    if (r < 0)
        return r;
    rec->n_recovered += x.n;
    rec->n_damaged += x.n_damaged;
    rec->n_cut += is_last ? written - end : 0;
    stored->first = s->head.first;
    stored->last = x.last;
    stored->newest_us = x.newest_us;
    discard = place == LAST && x.n == 0;
    if (discard)
        r = discard_empty(store->dir_fd, s->serial);
    else if (is_last)
        r = complete(store->dir_fd, s, end, &x, &stored->size);
    log_index_free(x.index);
    return r < 0 ? r : !discard;
}

/* 1: to be kept in the store. */
static int take(struct store *store, const struct segment_file *file, unsigned place,
                struct stored *stored, struct recovery *rec)
{
    struct segment s;
    int r = segment_open(&s, store->dir_fd, file->serial);

    *stored = (struct stored){ .serial = file->serial, .size = file->allocated };
    if (r == -EBADMSG || r == -EPROTO) {
        rec->bad_segment = file->serial;
        /* It has used up some numbers, and at most as many as it could hold. */
        rec->next_number += MAX(file->size, store->limits.segment_size) / LOG_RECORD_MIN;
        stored->newest_us = UINT64_MAX; /* never too old: somebody has to look at it */
        return 1;
    }
    if (r < 0)
        return r;
    if (s.index) {
        stored->first = s.head.first;
        stored->last = s.index->last ?: s.head.first - 1;
        stored->newest_us = log_index_newest(s.index);
        r = 1;
    } else {
        r = take_incomplete(store, &s, place, stored, rec);
    }
    rec->next_number = MAX(rec->next_number, stored->last + 1);
    segment_close(&s);
    return r;
}

int recover(struct store *store, struct recovery *ret)
{
    struct recovery rec = { .next_serial = 1, .next_number = 1 };
    struct segment_list list = { 0 };
    int r = segment_list_read(store->dir_fd, &list);

    if (r < 0)
        return r;
    for (size_t i = 0; i < list.n && r >= 0; i++) {
        struct stored stored;

        r = take(store, &list.items[i], (i == 0 ? FIRST : 0U) | (i + 1 == list.n ? LAST : 0U),
                 &stored, &rec);
        rec.next_serial = list.items[i].serial + 1;
        if (r > 0)
            r = store_add(store, &stored);
    }
    /* Names that were removed, and made by a run that did not live to sync them. */
    if (r >= 0 && fsync(store->dir_fd) < 0)
        r = -errno;
    segment_list_free(&list);
    if (r >= 0)
        *ret = rec;
    return r;
}
