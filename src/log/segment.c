/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/parse.h"
#include "log/bytes.h"
#include "log/file.h"
#include "log/segment.h"

#define WINDOW ((size_t)128 * 1024)
#define SUFFIX ".log"
#define DIGITS 10

void segment_name(uint64_t serial, char name[static SEGMENT_NAME_MAX])
{
    (void)snprintf(name, SEGMENT_NAME_MAX, "%0*" PRIu64 SUFFIX, DIGITS, serial);
}

/* --- the folder ----------------------------------------------------------------------------- */

static bool is_segment(const char *name, uint64_t *ret)
{
    char digits[SEGMENT_NAME_MAX];
    size_t n = strspn(name, "0123456789");

    if (n < DIGITS || n >= sizeof digits || strcmp(name + n, SUFFIX) != 0)
        return false;
    memcpy(digits, name, n);
    digits[n] = '\0';
    return parse_u64(digits, ret) == 0 && *ret > 0;
}

static int by_serial(const void *a, const void *b)
{
    uint64_t x = ((const struct segment_file *)a)->serial,
             y = ((const struct segment_file *)b)->serial;

    return (x > y) - (x < y);
}

static int add_file(struct segment_list *list, int dir_fd, const char *name, uint64_t serial)
{
    struct segment_file *items;
    struct stat st;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISREG(st.st_mode))
        return 0;
    items = reallocarray(list->items, list->n + 1, sizeof *items);
    if (!items)
        return -ENOMEM;
    list->items = items;
    items[list->n++] = (struct segment_file){
        .serial = serial,
        .size = (uint64_t)st.st_size,
        .allocated = (uint64_t)st.st_blocks * 512,
        .modified_us = (uint64_t)MAX(st.st_mtim.tv_sec, (time_t)0) * 1000000 +
                       (uint64_t)st.st_mtim.tv_nsec / 1000,
    };
    return 0;
}

int segment_list_read(int dir_fd, struct segment_list *ret)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    struct segment_list list = { 0 };
    struct dirent *entry;
    uint64_t serial;
    DIR *dir;

    if (fd < 0)
        return -errno;
    dir = fdopendir(fd);
    if (!dir) {
        r = -errno;
        (void)close_fd(fd);
        return r;
    }
    while (r >= 0 && (errno = 0, entry = readdir(dir)))
        if (is_segment(entry->d_name, &serial))
            r = add_file(&list, dir_fd, entry->d_name, serial);
    if (r >= 0 && errno != 0)
        r = -errno;
    (void)closedir(dir);
    if (r < 0) {
        segment_list_free(&list);
        return r;
    }
    if (list.n > 0)
        qsort(list.items, list.n, sizeof *list.items, by_serial);
    *ret = list;
    return 0;
}

void segment_list_free(struct segment_list *list)
{
    free(list->items);
    *list = (struct segment_list){ 0 };
}

/* --- one segment ---------------------------------------------------------------------------- */

/* The size, and the index where there is one. */
static int look_at_file(struct segment *s)
{
    struct stat st;
    int r;

    if (fstat(s->fd, &st) < 0)
        return -errno;
    s->size = (uint64_t)st.st_size;
    if (s->index)
        return 0;
    r = log_index_read(s->fd, s->size, &s->head, &s->index);
    return r == -ENODATA || r == -EIO ? 0 : r; /* an index that cannot be read is none */
}

int segment_open(struct segment *s, int dir_fd, uint64_t serial)
{
    uint8_t head[LOG_HEAD_SIZE];
    char name[SEGMENT_NAME_MAX];
    int r;

    segment_name(serial, name);
    *s = (struct segment){ .serial = serial, .offset = LOG_HEAD_SIZE };
    s->fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (s->fd < 0)
        return -errno;
    r = file_read(s->fd, head, sizeof head, 0);
    if (r >= 0)
        r = log_head_get(head, &s->head);
    if (r == -ENODATA || (r >= 0 && s->head.serial != serial))
        r = -EBADMSG;
    if (r >= 0)
        r = look_at_file(s);
    if (r < 0)
        segment_close(s);
    return r;
}

void segment_close(struct segment *s)
{
    s->fd = close_fd(s->fd);
    log_index_free(STEAL_PTR(s->index));
    free(STEAL_PTR(s->window));
    s->capacity = s->n = 0;
}

int segment_refresh(struct segment *s)
{
    s->n = 0;
    return look_at_file(s);
}

/* Where records end at the latest: behind it is an index, or nothing. */
static uint64_t limit(const struct segment *s)
{
    return s->index ? s->index->end : s->size;
}

static void note_read(const struct segment *s)
{
    if (s->on_read)
        s->on_read(s->userdata);
}

/* Fills the window so that it has n bytes at the offset, or as many as there are. Returns how many
 * there are, or a negative errno. backwards: what comes before is wanted next. */
static ssize_t load(struct segment *s, uint64_t offset, size_t n, bool backwards)
{
    uint64_t at = offset;
    size_t size = MAX(n, WINDOW);
    ssize_t r;

    if (offset >= s->at && offset - s->at <= s->n && s->n - (offset - s->at) >= n)
        return (ssize_t)n;
    if (s->capacity < size) {
        uint8_t *window = realloc(s->window, size);

        if (!window)
            return -ENOMEM;
        s->window = window;
        s->capacity = size;
    }
    if (backwards && offset + n > size)
        at = offset + n - size;
    else if (backwards)
        at = 0;
    s->n = 0;
    r = file_read_some(s->fd, s->window, size, at);
    if (r < 0)
        return r;
    note_read(s);
    s->at = at;
    s->n = (size_t)r;
    return (ssize_t)MIN(n, s->n > offset - at ? s->n - (size_t)(offset - at) : 0);
}

static const uint8_t *loaded(const struct segment *s, uint64_t offset)
{
    return s->window + (offset - s->at);
}

/* Whether a sound record is at the offset: its size; 0: nothing was written there; -EBADMSG; or
 * another negative errno. */
static ssize_t look(struct segment *s, uint64_t offset, bool backwards)
{
    uint64_t end = limit(s);
    ssize_t r;
    size_t size;

    if (offset + LOG_RECORD_MIN > end)
        return offset >= end || !s->index ? 0 : -EBADMSG;
    r = load(s, offset, LOG_RECORD_MIN, backwards);
    if (r < 0)
        return r;
    if (r < LOG_RECORD_MIN)
        return -EBADMSG; /* the file has just become shorter */
    size = log_record_claim(loaded(s, offset));
    if (size == 0 && !s->index)
        return 0;
    /* Before more is read: bytes that look like a record may be a part of a message. */
    if (size > end - offset || !log_record_begins(loaded(s, offset), s->head.salt))
        return -EBADMSG;
    r = load(s, offset, size, backwards);
    if (r < 0)
        return r;
    if ((size_t)r < size || !log_record_is_whole(loaded(s, offset)))
        return -EBADMSG;
    return (ssize_t)size;
}

int segment_next(struct segment *s, struct log_item *ret)
{
    ssize_t size = look(s, s->offset, false);

    if (size <= 0)
        return (int)size;
    log_record_get(loaded(s, s->offset), (size_t)size, &s->head, ret);
    s->offset += (uint64_t)size;
    return 1;
}

int segment_previous(struct segment *s, struct log_item *ret)
{
    uint64_t offset;
    ssize_t r;
    size_t size;

    if (s->offset < LOG_HEAD_SIZE + LOG_RECORD_MIN)
        return 0;
    r = load(s, s->offset - 4, 4, true);
    if (r < 4)
        return r < 0 ? (int)r : -EBADMSG;
    /* A record ends as it begins: with its size. */
    size = log_record_trailer(loaded(s, s->offset - 4));
    if (size < LOG_RECORD_MIN || size > s->offset - LOG_HEAD_SIZE)
        return -EBADMSG;
    offset = s->offset - size;
    r = look(s, offset, true);
    if (r < 0 || (size_t)r != size)
        return r < 0 ? (int)r : -EBADMSG;
    log_record_get(loaded(s, offset), size, &s->head, ret);
    s->offset = offset;
    return 1;
}

/* Whether it is worth while to compute a checksum here: a record of that number could stand so far
 * behind the last. */
static bool plausible(const struct segment *s, uint64_t offset, uint64_t after, uint64_t since)
{
    uint64_t number = log_record_number(loaded(s, offset));

    return number > after &&
           (after == 0 || number - after <= 1 + (offset - since) / LOG_RECORD_MIN);
}

/* How many bytes from the offset on, at least 1, cannot begin a record: where its size would be are
 * zeros. Most of an incomplete segment is zeros. */
static size_t zeros(const struct segment *s, uint64_t offset)
{
    const uint8_t *p = loaded(s, offset) + 4, *end = s->window + s->n, *at = p;

    while (end - at >= 8 && get_le64(at) == 0)
        at += 8;
    return at - p > 4 ? (size_t)(at - p) - 3 : 1;
}

/* As segment_skip(), as far as `stop`. The cost is a fixed amount for each byte, whatever the bytes
 * are: more than a head is read only where a record begins. */
static int skip(struct segment *s, uint64_t after, uint64_t stop)
{
    uint64_t since = s->offset;

    for (uint64_t offset = since + 1; offset + LOG_RECORD_MIN <= stop;) {
        ssize_t r = load(s, offset, LOG_RECORD_MIN, false);

        if (r < 0)
            return (int)r;
        if (r < LOG_RECORD_MIN)
            break;
        if (!plausible(s, offset, after, since)) {
            offset += zeros(s, offset);
            continue;
        }
        r = look(s, offset, false);
        if (r < 0 && r != -EBADMSG)
            return (int)r;
        if (r > 0) {
            s->offset = offset;
            return 1;
        }
        offset++;
    }
    return 0;
}

int segment_skip(struct segment *s, uint64_t after)
{
    return skip(s, after, limit(s));
}

int segment_was_synced(struct segment *s, uint64_t number)
{
    uint64_t offset = s->offset, last = number - 1;
    struct log_item item;
    int r;

    while ((r = segment_skip(s, last)) > 0) {
        while ((r = segment_next(s, &item)) > 0) {
            last = item.number;
            if (item.distance < last && last - 1 - item.distance >= number) {
                s->offset = offset;
                return 1;
            }
        }
        if (r < 0 && r != -EBADMSG)
            break;
    }
    s->offset = offset;
    return r;
}

/* The end of the last sound record from the mark on that ends before `stop`; 0: there is none; or a
 * negative errno. */
static int64_t last_end(struct segment *s, uint64_t offset, uint64_t after, uint64_t stop)
{
    uint64_t end = 0;
    ssize_t r;

    s->offset = offset;
    for (;;) {
        while ((r = look(s, s->offset, false)) > 0 && s->offset + (uint64_t)r < stop) {
            after = log_record_number(loaded(s, s->offset));
            end = s->offset += (uint64_t)r;
        }
        if (r > 0 || (r < 0 && r != -EBADMSG))
            break;
        r = skip(s, after, stop);
        if (r <= 0)
            break;
    }
    return r < 0 && r != -EBADMSG ? r : (int64_t)end;
}

int segment_skip_back(struct segment *s)
{
    const struct log_index *x = s->index;
    uint64_t from = s->offset, stop = from;
    size_t mark = x && x->n_marks > 0 ? log_index_mark_at(x, stop - 1) : 0;
    int64_t end;

    do {
        bool begins = !x || x->n_marks == 0;
        uint64_t offset = begins ? LOG_HEAD_SIZE : x->marks[mark].offset;

        end = last_end(s, offset, (begins ? s->head.first : x->marks[mark].number) - 1, stop);
        stop = offset + 1; /* what comes behind this mark is known */
    } while (end == 0 && mark-- > 0);
    s->offset = end > 0 ? (uint64_t)end : from;
    return end > 0 ? 1 : (int)end;
}

int segment_written_end(struct segment *s, uint64_t *ret)
{
    uint8_t bytes[65536];
    uint64_t end = s->offset;
    ssize_t n;

    for (uint64_t at = end; (n = file_read_some(s->fd, bytes, sizeof bytes, at)) > 0;
         at += (uint64_t)n) {
        size_t used = (size_t)n;

        note_read(s);
        /* Most of it is zeros, which memcmp() finds fast. */
        if (bytes[0] == 0 && memcmp(bytes, bytes + 1, used - 1) == 0)
            continue;
        while (bytes[used - 1] == 0)
            used--;
        end = at + used;
    }
    *ret = end;
    return n < 0 ? (int)n : 0;
}

int segment_seek_end(struct segment *s)
{
    uint64_t last = 0;
    ssize_t r;

    if (s->index) {
        s->offset = s->index->end;
        return 0;
    }
    for (;;) {
        while ((r = look(s, s->offset, false)) > 0) {
            last = log_record_number(loaded(s, s->offset));
            s->offset += (uint64_t)r;
        }
        if (r == -EBADMSG)
            r = segment_skip(s, last);
        if (r <= 0)
            return (int)r;
    }
}

void segment_seek_number(struct segment *s, uint64_t number)
{
    size_t low = 0, high = s->index ? s->index->n_marks : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->index->marks[middle].number <= number)
            low = middle + 1;
        else
            high = middle;
    }
    s->offset = low > 0 ? s->index->marks[low - 1].offset : LOG_HEAD_SIZE;
}
