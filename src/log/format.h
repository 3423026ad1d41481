/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/record.h"

/*
 * The bytes of the record log: man/answerd-log.5 describes them for readers in other languages.
 * All numbers are little-endian.
 *
 * A log is a folder of segments. A segment is a head of LOG_HEAD_SIZE bytes, and records one behind
 * the other. Zeros follow, up to the size that was allocated. A segment that is complete has no
 * zeros: an index and a trailer follow its records (log/index.h).
 *
 * A segment belongs to one run of the daemon: the record IDs of a segment begin alike. Its salt is
 * part of the checksum of each record's head. So a record that an earlier use of the file left
 * behind is never taken for one of this segment. Nor are the bytes of a message, although its sender
 * chooses them: a head tells that no record begins there, so nothing else is read.
 */

#define LOG_VERSION   1
#define LOG_MAGIC     "answlog\n" /* the first 8 bytes of a segment */
#define LOG_HEAD_SIZE 4096        /* so that no record shares a sector with it */

/* What a segment's head says. */
struct log_head {
    uint64_t serial;     /* of the segment: 1, 2, 3, ... */
    uint64_t salt;       /* random */
    uint64_t run;        /* random bits of the run: the beginning of record IDs, as 16 hex digits */
    uint64_t created_us; /* CLOCK_REALTIME */
    uint64_t first;      /* the number of its first record */
};

void log_head_put(uint8_t out[static LOG_HEAD_SIZE], const struct log_head *head);

/* 0; -EBADMSG: it is no head, or damaged; -EPROTO: it is of a version that we do not know. */
int log_head_get(const uint8_t in[static LOG_HEAD_SIZE], struct log_head *ret);

/*
 * A record:
 *
 *   offset  size
 *    0       4     checksum: CRC-32C of the segment's salt and of bytes 4 to 55
 *    4       4     size of the whole record
 *    8       8     number: 1, 2, 3, ... through all segments of the log
 *   16       8     time, CLOCK_REALTIME in µs, when it was written
 *   24       8     the connection's number
 *   32       8     the message's number on its connection
 *   40       4     distance: how many of the records before it were not synced when it was written
 *   44       1     flags: LOG_UNFINISHED
 *   45       1     size of the peer's address
 *   46       1     size of the peer's port
 *   47       1     size of the listener's name
 *   48       4     size of further fields
 *   52       4     checksum: CRC-32C of all that follows, up to the end
 *   56             address, port, name, further fields, the message
 *   end - 4  4     size of the whole record once more, so that it can be read backwards
 *
 * A further field is a byte with its type (enum log_field), its size in two bytes, and its text.
 * Fields of unknown types are skipped.
 */
enum log_field { LOG_IDENTITY = 1, LOG_PROXY = 2, LOG_PROXY_ID = 3 };

#define LOG_RECORD_HEAD 56
#define LOG_RECORD_MIN  (LOG_RECORD_HEAD + 4)
#define LOG_RECORD_MAX  (UINT32_C(1) << 30)
#define LOG_UNFINISHED  1
#define LOG_NAME_MAX    255 /* of address, port, listener */

/* A record has at most so many bytes besides its message. */
#define LOG_RECORD_BESIDE (LOG_RECORD_MIN + 3 * LOG_NAME_MAX + 3 * (3 + RECORD_ORIGIN_MAX))

/* A record is never split: the largest one that a segment of this size can hold, bytes. */
static inline uint64_t log_record_max(uint64_t segment_size)
{
    return segment_size - LOG_HEAD_SIZE;
}

/* Bytes that the record takes; 0: it is too large for a log, or a name is too long. */
size_t log_record_size(const struct record *record);

/* Writes a record of that size, without what log_record_seal() adds. */
void log_record_put(uint8_t *out, const struct record *record, size_t size);

/* What the writer adds when the record takes its place in the log. */
struct log_seal {
    uint64_t number, time_us;
    uint32_t distance;
};

/* Completes the record at p, and returns its size. Looks at its head only. */
size_t log_record_seal(uint8_t *p, uint64_t salt, const struct log_seal *seal);

/* A record as it was read. Names are copied; the message is in the bytes that it was read from. */
struct log_item {
    struct record record; /* its pointers point into this struct, except for data */
    struct record_origin origin;
    uint64_t number, time_us;
    uint32_t distance;
    size_t size; /* of the whole record */
    char id[64], peer[LOG_NAME_MAX + 1], port[LOG_NAME_MAX + 1];
    char both[2 * LOG_NAME_MAX + 4], listener[LOG_NAME_MAX + 1];
    char identity[RECORD_ORIGIN_MAX + 1], proxy[RECORD_ORIGIN_MAX + 1];
    char proxy_id[RECORD_ORIGIN_MAX + 1];
};

/* The size that the record at p claims, of which at least 8 bytes are there; 0: zeros, so nothing
 * was written here. Anything else may be wrong unless log_record_begins(). */
size_t log_record_claim(const uint8_t *p);

/* The same, from the last four bytes of a record. */
size_t log_record_trailer(const uint8_t *p);

/* Whether a record of the segment with this salt begins at p. LOG_RECORD_HEAD bytes are there. */
bool log_record_begins(const uint8_t *p, uint64_t salt);

/* Whether the rest of the record that begins at p is sound, too. All its bytes are there. */
bool log_record_is_whole(const uint8_t *p);

/* Its number, without looking at anything else. At least 16 bytes are there. */
uint64_t log_record_number(const uint8_t *p);

/* Its time, likewise; and its connection. LOG_RECORD_MIN bytes are there. */
uint64_t log_record_time(const uint8_t *p);
uint64_t log_record_connection(const uint8_t *p);

/* Takes apart a sound record of `size` bytes. */
void log_record_get(const uint8_t *p, size_t size, const struct log_head *head,
                    struct log_item *ret);
