/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/macros.h"
#include "log/bytes.h"
#include "log/file.h"
#include "log/format.h"
#include "log/index.h"

/* Where the trailer's fields are; its last four bytes are the checksum of gap, marks, filter and
 * trailer, and of the salt before them. */
enum {
    AT_MAGIC = 0,
    AT_END = 8,
    AT_FIRST = 16,
    AT_LAST = 24,
    AT_N_MARKS = 32,
    AT_FILTER_SIZE = 36,
    AT_CRC = LOG_TRAILER_SIZE - 4,
};

static const uint8_t magic[8] = LOG_TRAILER_MAGIC; /* without a NUL */

struct log_index *log_index_new(void)
{
    return calloc(1, sizeof(struct log_index));
}

void log_index_free(struct log_index *x)
{
    if (!x)
        return;
    free(x->marks);
    free(x);
}

static size_t probe(uint64_t connection, unsigned k)
{
    uint64_t hash = connection * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)k << 16 | (hash >> 16 * k & 0xffff);
}

static int add_mark(struct log_index *x, const struct log_entry *e)
{
    struct log_mark *marks = x->marks;

    /* At each power of two it doubles. */
    if ((x->n_marks & (x->n_marks - 1)) == 0)
        marks = reallocarray(x->marks, x->n_marks ? 2 * x->n_marks : 1, sizeof *marks);
    if (!marks)
        return -ENOMEM;
    x->marks = marks;
    marks[x->n_marks++] = (struct log_mark){ e->offset, e->number, e->time_us, e->time_us };
    return 0;
}

int log_index_add(struct log_index *x, const struct log_entry *e)
{
    struct log_mark *mark = x->n_marks > 0 ? &x->marks[x->n_marks - 1] : NULL;

    if (!mark || e->offset - mark->offset >= LOG_MARK_EVERY) {
        if (add_mark(x, e) < 0)
            return -ENOMEM;
        mark = &x->marks[x->n_marks - 1];
    }
    mark->time_min = MIN(mark->time_min, e->time_us);
    mark->time_max = MAX(mark->time_max, e->time_us);
    x->first = x->first ?: e->number;
    x->last = e->number;
    x->end = e->end;
    for (unsigned k = 0; k < LOG_FILTER_PROBES; k++) {
        size_t bit = probe(e->connection, k);

        x->filter[bit / 8] |= (uint8_t)(1U << bit % 8);
    }
    return 0;
}

uint64_t log_index_newest(const struct log_index *x)
{
    uint64_t time = 0;

    for (size_t i = 0; i < x->n_marks; i++)
        time = MAX(time, x->marks[i].time_max);
    return time;
}

bool log_index_may_have(const struct log_index *x, uint64_t connection)
{
    for (unsigned k = 0; k < LOG_FILTER_PROBES; k++) {
        size_t bit = probe(connection, k);

        if (!(x->filter[bit / 8] & 1U << bit % 8))
            return false;
    }
    return true;
}

size_t log_index_mark_at(const struct log_index *x, uint64_t offset)
{
    size_t low = 0, high = x->n_marks;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (x->marks[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static size_t encoded_size(uint64_t n_marks)
{
    return LOG_INDEX_GAP + (size_t)n_marks * LOG_MARK_SIZE + LOG_FILTER_SIZE + LOG_TRAILER_SIZE;
}

/* The salt keeps a client from forging an index by what it sends. */
static uint32_t checksum(const uint8_t *bytes, size_t size, uint64_t salt)
{
    uint8_t le[8];

    put_le64(le, salt);
    return crc32c(crc32c(0, le, sizeof le), bytes, size - 4);
}

uint8_t *log_index_encode(const struct log_index *x, uint64_t salt, size_t *ret_size)
{
    size_t size = encoded_size(x->n_marks);
    uint8_t *bytes = calloc(1, size), *p;

    if (!bytes)
        return NULL;
    p = bytes + LOG_INDEX_GAP;
    for (size_t i = 0; i < x->n_marks; i++, p += LOG_MARK_SIZE) {
        put_le64(p, x->marks[i].offset);
        put_le64(p + 8, x->marks[i].number);
        put_le64(p + 16, x->marks[i].time_min);
        put_le64(p + 24, x->marks[i].time_max);
    }
    memcpy(p, x->filter, LOG_FILTER_SIZE);
    p += LOG_FILTER_SIZE;
    memcpy(p + AT_MAGIC, magic, sizeof magic);
    put_le64(p + AT_END, x->end);
    put_le64(p + AT_FIRST, x->first);
    put_le64(p + AT_LAST, x->last);
    put_le32(p + AT_N_MARKS, (uint32_t)x->n_marks);
    put_le32(p + AT_FILTER_SIZE, LOG_FILTER_SIZE);
    put_le32(p + AT_CRC, checksum(bytes, size, salt));
    *ret_size = size;
    return bytes;
}

/* The size of the index that this trailer ends; 0: it is none. */
static size_t size_by_trailer(const uint8_t *trailer, uint64_t file_size)
{
    uint64_t n_marks = get_le32(trailer + AT_N_MARKS), end = get_le64(trailer + AT_END);
    size_t size = encoded_size(n_marks);

    if (memcmp(trailer + AT_MAGIC, magic, sizeof magic) != 0 ||
        get_le32(trailer + AT_FILTER_SIZE) != LOG_FILTER_SIZE || end < LOG_HEAD_SIZE ||
        end > file_size || file_size - end != size)
        return 0;
    return size;
}

/* Marks rise, and lie within the records. */
static bool marks_are_sound(const struct log_index *x)
{
    for (size_t i = 0; i < x->n_marks; i++)
        if (x->marks[i].offset < (i > 0 ? x->marks[i - 1].offset + 1 : LOG_HEAD_SIZE) ||
            x->marks[i].offset >= x->end || x->marks[i].number == 0)
            return false;
    return true;
}

static bool numbers_are_sound(const struct log_index *x, const struct log_head *head)
{
    if (x->n_marks == 0)
        return x->first == 0 && x->last == 0;
    return x->first >= head->first && x->last >= x->first && x->marks[0].number == x->first &&
           x->last - head->first <= x->end / LOG_RECORD_MIN;
}

static int decode(const uint8_t *bytes, size_t size, const struct log_head *head,
                  struct log_index *x)
{
    const uint8_t *trailer = bytes + size - LOG_TRAILER_SIZE, *p = bytes + LOG_INDEX_GAP;

    if (get_le32(trailer + AT_CRC) != checksum(bytes, size, head->salt))
        return -ENODATA;
    x->n_marks = get_le32(trailer + AT_N_MARKS);
    x->marks = calloc(x->n_marks ?: 1, sizeof *x->marks);
    if (!x->marks)
        return -ENOMEM;
    for (size_t i = 0; i < x->n_marks; i++, p += LOG_MARK_SIZE)
        x->marks[i] = (struct log_mark){
            .offset = get_le64(p),
            .number = get_le64(p + 8),
            .time_min = get_le64(p + 16),
            .time_max = get_le64(p + 24),
        };
    memcpy(x->filter, p, LOG_FILTER_SIZE);
    x->end = get_le64(trailer + AT_END);
    x->first = get_le64(trailer + AT_FIRST);
    x->last = get_le64(trailer + AT_LAST);
    return marks_are_sound(x) && numbers_are_sound(x, head) ? 0 : -ENODATA;
}

int log_index_read(int fd, uint64_t file_size, const struct log_head *head, struct log_index **ret)
{
    uint8_t trailer[LOG_TRAILER_SIZE];
    _cleanup_free_ uint8_t *bytes = NULL;
    struct log_index *x;
    size_t size;
    int r;

    if (file_size < LOG_HEAD_SIZE + LOG_TRAILER_SIZE)
        return -ENODATA;
    r = file_read(fd, trailer, sizeof trailer, file_size - sizeof trailer);
    if (r < 0)
        return r;
    size = size_by_trailer(trailer, file_size);
    if (size == 0)
        return -ENODATA;
    bytes = malloc(size);
    x = log_index_new();
    r = bytes && x ? file_read(fd, bytes, size, file_size - size) : -ENOMEM;
    if (r >= 0)
        r = decode(bytes, size, head, x);
    if (r < 0) {
        log_index_free(x);
        return r;
    }
    *ret = x;
    return 0;
}
