/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a complete segment tells of itself, behind its records: where a time is, and which
 * connections it may have. It only saves reading: a segment without an index, or with a damaged
 * one, is read from its beginning.
 *
 *   records | 8 zeros | marks | filter | trailer of LOG_TRAILER_SIZE bytes, at the end of the file
 *
 * A mark is four numbers of 8 bytes: the offset of a record, its number, and the earliest and the
 * latest time from there to the next mark. Times need not rise: the clock may have been set.
 *
 * The filter is a Bloom filter of connection numbers: LOG_FILTER_PROBES bits for each. Bit n is bit
 * n % 8 of byte n / 8. With h = number * 0x9e3779b97f4a7c15 (mod 2^64), probe k of a connection is
 * bit (h >> 16 * k) % 2^16 of quarter k of the filter.
 */

#define LOG_INDEX_GAP     8
#define LOG_MARK_EVERY    ((uint64_t)256 * 1024) /* bytes of records, at least, from mark to mark */
#define LOG_MARK_SIZE     32
#define LOG_FILTER_SIZE   (4 * 65536 / 8)
#define LOG_FILTER_PROBES 4
#define LOG_TRAILER_SIZE  64
#define LOG_TRAILER_MAGIC "answidx\n"

struct log_head;

struct log_mark {
    uint64_t offset, number, time_min, time_max;
};

struct log_index {
    uint64_t end;         /* behind the last record */
    uint64_t first, last; /* numbers; both 0: there is no record */
    struct log_mark *marks;
    size_t n_marks;
    uint8_t filter[LOG_FILTER_SIZE];
};

/* A new one without records, to be freed with log_index_free(). NULL, out of memory. */
struct log_index *log_index_new(void);
/* NULL is fine. */
void log_index_free(struct log_index *x);

/* What the index has to know of a record. It stands at `offset`; `end` is behind it. */
struct log_entry {
    uint64_t offset, end, number, time_us, connection;
};

/* The next record. 0 or -ENOMEM: then nothing has changed, and the segment can have no index. */
int log_index_add(struct log_index *x, const struct log_entry *e);

/* The latest time of its records; 0: it has none. */
uint64_t log_index_newest(const struct log_index *x);

/* Whether the segment may have a record of that connection. */
bool log_index_may_have(const struct log_index *x, uint64_t connection);

/* Which mark the record at the offset belongs to. There is at least one mark. */
size_t log_index_mark_at(const struct log_index *x, uint64_t offset);

/* The bytes of the index, its gap first, to be freed with free(). They belong at offset x->end.
 * NULL, out of memory. */
uint8_t *log_index_encode(const struct log_index *x, uint64_t salt, size_t *ret_size);

/* Reads the index of the segment in fd, a file of so many bytes. 0; -ENODATA: there is none, or it
 * is damaged; -ENOMEM, or what reading said. */
int log_index_read(int fd, uint64_t file_size, const struct log_head *head, struct log_index **ret);
