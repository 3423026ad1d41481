/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answerlog/vacuum.h"
#include "base/macros.h"
#include "base/parse.h"
#include "log/reader.h"
#include "log/store.h"

#define SIZE_TEXT_MAX 32

static const char *size_text(uint64_t bytes, char text[static SIZE_TEXT_MAX])
{
    static const char units[] = "KMGTPE";
    double value = (double)bytes / 1024;
    size_t unit = 0;

    for (; value >= 1024 && unit + 2 < sizeof units; unit++)
        value /= 1024;
    (void)snprintf(text, SIZE_TEXT_MAX, "%.1f%c", value, units[unit]);
    return text;
}

/* On the disk: the segments, and the file that will be the next one. */
static uint64_t usage(const struct reader *r)
{
    uint64_t bytes = 0;
    struct stat st;

    for (size_t i = 0; i < r->list.n; i++)
        bytes += r->list.items[i].allocated;
    if (fstatat(r->dir_fd, STORE_SPARE, &st, AT_SYMLINK_NOFOLLOW) == 0)
        bytes += (uint64_t)st.st_blocks * 512;
    return bytes;
}

/* The time of the newest record in the segment that was opened. 0 or a negative errno. */
static int newest(struct segment *s, uint64_t *ret_us)
{
    uint64_t time = s->head.created_us;
    struct log_item item;
    int r = 0;

    if (s->index)
        time = MAX(time, log_index_newest(s->index));
    while (!s->index && (r = segment_next(s, &item)) > 0)
        time = MAX(time, item.time_us);
    *ret_us = time;
    return r == -EBADMSG ? 0 : r;
}

/* Whether no record of the segment is younger than the span. 1, 0 or a negative errno. */
static int is_old(const struct options *o, int dir_fd, const struct segment_file *file,
                  uint64_t now_us)
{
    uint64_t time = file->modified_us;
    struct segment s;
    int r;

    if (o->vacuum_time_us == SPAN_INFINITY)
        return 0;
    r = segment_open(&s, dir_fd, file->serial);
    if (r == 0) {
        r = newest(&s, &time);
        segment_close(&s);
    }
    if (segment_is_damaged(r)) {
        (void)fprintf(stderr,
                      "answerlog: segment %" PRIu64
                      " cannot be read, so its file's modification time counts\n",
                      file->serial);
        time = file->modified_us;
    } else if (r < 0) {
        return r == -ENOENT ? 1 : r;
    }
    return now_us > time && now_us - time > o->vacuum_time_us;
}

static int remove_segment(int dir_fd, const struct segment_file *file)
{
    char name[SEGMENT_NAME_MAX], size[SIZE_TEXT_MAX];

    segment_name(file->serial, name);
    if (unlinkat(dir_fd, name, 0) < 0)
        return errno == ENOENT ? 0 : -errno;
    (void)printf("removed segment %" PRIu64 " (%s)\n", file->serial,
                 size_text(file->allocated, size));
    return 0;
}

/* Why the oldest segment stays. */
static void print_why_not(const struct options *o, const struct reader *r)
{
    bool by_size = o->vacuum_size < UINT64_MAX, by_age = o->vacuum_time_us != SPAN_INFINITY;
    char use[SIZE_TEXT_MAX], size[SIZE_TEXT_MAX];

    (void)printf("nothing to remove: ");
    if (r->list.n == 0 || (r->list.n == 1 && !(by_size && usage(r) <= o->vacuum_size))) {
        (void)puts(r->list.n == 0 ? "the log has no segment" : "the newest segment always stays");
        return;
    }
    if (by_size)
        (void)printf("the log takes %s, no more than %s", size_text(usage(r), use),
                     size_text(o->vacuum_size, size));
    by_age = by_age && r->list.n > 1;
    (void)printf("%s%s\n", by_size && by_age ? ", and " : "",
                 by_age ? "the oldest segment has a younger record" : "");
}

static int remove_oldest(const struct options *o, struct reader *r, uint64_t now_us)
{
    uint64_t left = usage(r), freed = 0;
    char size[SIZE_TEXT_MAX];
    size_t n = 0;
    int result = 0;

    for (; n + 1 < r->list.n; n++) {
        const struct segment_file *file = &r->list.items[n];

        result = left > o->vacuum_size ? 1 : is_old(o, r->dir_fd, file, now_us);
        if (result > 0)
            result = remove_segment(r->dir_fd, file) ?: 1;
        if (result <= 0)
            break;
        left -= file->allocated;
        freed += file->allocated;
    }
    if (n > 0)
        (void)printf("removed %zu segment%s; %s are free again\n", n, n == 1 ? "" : "s",
                     size_text(freed, size));
    else if (result >= 0)
        print_why_not(o, r);
    return n > 0 && result >= 0 && fsync(r->dir_fd) < 0 ? -errno : MIN(result, 0);
}

static enum status finish(const struct options *o, struct reader *r, int result)
{
    reader_close(r);
    if (result >= 0 && fflush(stdout) != 0)
        result = -errno;
    if (result >= 0 || result == -EPIPE)
        return STATUS_OK;
    options_complain(o, result);
    return STATUS_SYSTEM;
}

enum status disk_usage(const struct options *o)
{
    struct reader r;
    int result = reader_open(&r, o->directory, &READER_SCOPE_ALL);
    char size[SIZE_TEXT_MAX];

    if (result >= 0)
        (void)printf("the log takes %s on disk, in %zu segment%s\n", size_text(usage(&r), size),
                     r.list.n, r.list.n == 1 ? "" : "s");
    return finish(o, &r, result);
}

enum status vacuum(const struct options *o, uint64_t now_us)
{
    struct reader r;
    int result = reader_open(&r, o->directory, &READER_SCOPE_ALL);

    if (result >= 0)
        result = remove_oldest(o, &r, now_us);
    return finish(o, &r, result);
}
