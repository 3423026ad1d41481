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
static int is_old(const struct options *o, int dir_fd, uint64_t serial, uint64_t now_us)
{
    struct segment s;
    uint64_t time;
    int r;

    if (o->vacuum_time_us == SPAN_INFINITY)
        return 0;
    r = segment_open(&s, dir_fd, serial);
    if (r == -EBADMSG || r == -EPROTO) {
        (void)fprintf(stderr,
                      "answerlog: segment %" PRIu64 " cannot be read, so its age is unknown\n",
                      serial);
        return 0;
    }
    if (r < 0)
        return r == -ENOENT ? 1 : r;
    r = newest(&s, &time);
    segment_close(&s);
    if (r < 0)
        return r;
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

static int remove_oldest(const struct options *o, struct reader *r, uint64_t now_us)
{
    uint64_t left = usage(r), freed = 0;
    char size[SIZE_TEXT_MAX];
    size_t n = 0;
    int result = 0;

    for (; n + 1 < r->list.n; n++) {
        const struct segment_file *file = &r->list.items[n];

        result = left > o->vacuum_size ? 1 : is_old(o, r->dir_fd, file->serial, now_us);
        if (result > 0)
            result = remove_segment(r->dir_fd, file) ?: 1;
        if (result <= 0)
            break;
        left -= file->allocated;
        freed += file->allocated;
    }
    (void)printf("removed %zu segment%s; %s are free again\n", n, n == 1 ? "" : "s",
                 size_text(freed, size));
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
