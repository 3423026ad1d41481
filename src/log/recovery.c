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

/* Between two calls of progress. */
#define READS_PER_STEP 64
#define STEP           ((uint64_t)8 * 1024 * 1024)

/* What is known while the segments are taken, one after the other. */
struct taking {
    struct store *store;
    void (*progress)(void);
    unsigned n_reads;
    struct recovery rec;
    /* How many numbers the damaged segments since the last sound one can have used at most. The next
     * sound one tells. */
    uint64_t guessed;
};

static void tell_progress(const struct taking *t)
{
    if (t->progress)
        t->progress();
}

static void on_read(void *userdata)
{
    struct taking *t = userdata;

    if (++t->n_reads % READS_PER_STEP == 0)
        tell_progress(t);
}

/* The number of the last record that is known to have been synced. A record, wherever it is, vouches
 * for all those that it says were synced. */
static int find_synced(struct segment *s, uint64_t *ret)
{
    uint64_t last = s->head.first - 1, synced = 0;
    struct log_item item;
    int r;

    do {
        while ((r = segment_next(s, &item)) > 0) {
            last = item.number;
            synced = MAX(synced, last - 1 - MIN((uint64_t)item.distance, last - 1));
        }
        if (r == 0 || r == -EBADMSG)
            r = segment_skip(s, last);
    } while (r > 0);
    *ret = synced;
    return r;
}

/* What the records of a segment are. */
struct survey {
    struct log_index *index;
    uint64_t n, n_damaged, last, newest_us;
    uint64_t end;      /* the offset where they end */
    uint64_t unsynced; /* the offset of the first one that may not be on the disk */
};

static int add(struct survey *x, const struct log_item *item, uint64_t offset, uint64_t synced)
{
    if (item->number > synced)
        x->unsynced = MIN(x->unsynced, offset);
    x->n++;
    x->n_damaged += item->number - x->last - 1;
    x->last = item->number;
    x->newest_us = MAX(x->newest_us, item->time_us);
    x->end = offset + item->size;
    return log_index_add(x->index, &(struct log_entry){
                                       .offset = offset,
                                       .end = x->end,
                                       .number = item->number,
                                       .time_us = item->time_us,
                                       .connection = item->record.connection,
                                   });
}

/* The records end before the first one that is not sound, and that was not synced. Unreadable records
 * in a row count as one: nothing tells where the second one begins. */
static int survey(struct segment *s, uint64_t synced, struct survey *ret)
{
    struct survey x = {
        .index = log_index_new(),
        .last = s->head.first - 1,
        .end = LOG_HEAD_SIZE,
        .unsynced = UINT64_MAX,
    };
    struct log_item item;
    int r = x.index ? 1 : -ENOMEM;

    s->offset = LOG_HEAD_SIZE;
    while (r > 0) {
        uint64_t offset = s->offset;

        r = segment_next(s, &item);
        if (r > 0)
            r = add(&x, &item, offset, synced) < 0 ? -ENOMEM : 1;
        else if (r == 0 || r == -EBADMSG)
            r = x.last < synced ? segment_skip(s, x.last) : 0;
    }
    if (r < 0) {
        log_index_free(x.index);
        return r;
    }
    x.unsynced = MIN(x.unsynced, x.end);
    *ret = x;
    return 0;
}

/* Writes the bytes anew. If a sync failed before, the kernel has them in memory but takes them for
 * written: a sync alone would not bring them to the disk. Step by step, so that no sync takes long. */
static int rewrite(const struct taking *t, int fd, uint64_t from, uint64_t end)
{
    uint8_t bytes[65536];
    uint64_t unsynced = 0;
    int r = 0;

    for (size_t n; r >= 0 && from < end; from += n) {
        n = (size_t)MIN(end - from, (uint64_t)sizeof bytes);
        r = file_read(fd, bytes, n, from);
        if (r >= 0)
            r = file_write(fd, bytes, n, from);
        unsynced += n;
        if (r < 0 || unsynced < STEP)
            continue;
        r = fdatasync(fd) < 0 ? -errno : 0;
        unsynced = 0;
        tell_progress(t);
    }
    return r;
}

/* Ends the file behind the records, with an index. */
static int complete(const struct taking *t, const struct segment *s, const struct survey *x,
                    uint64_t *ret_size)
{
    uint64_t end = x->end;
    _cleanup_free_ uint8_t *bytes = NULL;
    _cleanup_close_ int fd = -EBADF;
    char name[SEGMENT_NAME_MAX];
    size_t n;
    int r;

    segment_name(s->serial, name);
    bytes = log_index_encode(x->index, s->head.salt, &n);
    if (!bytes)
        return -ENOMEM;
    fd = openat(t->store->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    /* With the first record, the head may not be on the disk either. */
    r = rewrite(t, fd, x->unsynced > LOG_HEAD_SIZE ? x->unsynced : 0, end);
    if (r < 0)
        return r;
    /* What is cut off is gone before anything takes its place: an index that is not whole counts as
     * none. */
    if (ftruncate(fd, (off_t)end) < 0 || fsync(fd) < 0)
        return -errno;
    r = file_write(fd, bytes, n, end);
    if (store_has_no_room(r))
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

/* An empty last segment goes, unless it alone knows which number comes next: those before it cannot be
 * read, or a crash has undone the removal of some of them. */
static int take_incomplete(struct taking *t, struct segment *s, bool is_last, struct stored *stored)
{
    bool discard;
    struct recovery *rec = &t->rec;
    uint64_t synced = UINT64_MAX, written = 0;
    struct survey x;
    int r = 0;

    /* The next segment was begun only when this one was synced: nothing of it is torn. */
    if (is_last)
        r = find_synced(s, &synced);
    if (r >= 0)
        r = survey(s, synced, &x);
    if (r < 0)
        return r;
    s->offset = written = x.end;
    if (is_last)
        r = segment_written_end(s, &written);
    discard = is_last && x.n == 0 && t->guessed == 0 && rec->next_number >= s->head.first;
    if (r >= 0 && discard)
        r = discard_empty(t->store->dir_fd, s->serial);
    else if (r >= 0 && is_last)
        r = complete(t, s, &x, &stored->size);
    log_index_free(x.index);
    if (r < 0)
        return r;
    rec->n_recovered += x.n;
    rec->n_damaged += x.n_damaged;
    rec->n_cut += written - x.end;
    stored->first = s->head.first;
    stored->last = x.last;
    stored->newest_us = x.newest_us;
    return !discard;
}

static int take_segment(struct taking *t, const struct segment_file *file, bool is_last,
                        struct stored *stored)
{
    struct segment s;
    int r = segment_open(&s, t->store->dir_fd, file->serial);

    if (r < 0)
        return r;
    s.on_read = on_read;
    s.userdata = t;
    if (s.index) {
        stored->first = s.head.first;
        stored->last = s.index->last ?: s.head.first - 1;
        stored->newest_us = log_index_newest(s.index);
        r = 1;
    } else {
        r = take_incomplete(t, &s, is_last, stored);
    }
    segment_close(&s);
    return r;
}

/* It stays, and somebody has to look at it. */
static void pass_over(struct taking *t, const struct segment_file *file, struct stored *stored)
{
    if (t->rec.n_bad++ == 0)
        t->rec.bad_segment = file->serial;
    t->guessed += MAX(file->size, t->store->limits.segment_size) / LOG_RECORD_MIN;
    stored->newest_us = file->modified_us;
}

/* 1: to be kept in the store. */
static int take(struct taking *t, const struct segment_file *file, bool is_last,
                struct stored *stored)
{
    int r;

    *stored = (struct stored){ .serial = file->serial, .size = file->allocated };
    r = take_segment(t, file, is_last, stored);
    if (segment_is_damaged(r) && !(r == -EIO && is_last)) {
        pass_over(t, file, stored);
        return 1;
    }
    if (r < 0)
        return r;
    t->guessed = 0;
    t->rec.next_number = MAX(t->rec.next_number, stored->last + 1);
    return r;
}

int recover(struct store *store, void (*progress)(void), struct recovery *ret)
{
    struct taking t = {
        .store = store,
        .progress = progress,
        .rec = { .next_serial = 1, .next_number = 1 },
    };
    struct segment_list list = { 0 };
    int r = segment_list_read(store->dir_fd, &list);

    ret->failed = 0;
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.n && r >= 0; i++) {
        struct stored stored;

        r = take(&t, &list.items[i], i + 1 == list.n, &stored);
        t.rec.next_serial = list.items[i].serial + 1;
        if (r > 0)
            r = store_add(store, &stored);
        if (r < 0)
            ret->failed = list.items[i].serial;
    }
    /* Names that were removed, and made by a run that did not live to sync them. */
    if (r >= 0 && fsync(store->dir_fd) < 0)
        r = -errno;
    segment_list_free(&list);
    if (r < 0)
        return r;
    t.rec.next_number += t.guessed;
    *ret = t.rec;
    return 0;
}
