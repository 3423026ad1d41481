/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A growable queue of bytes: append at the end, consume from the front.
 *
 * Header and bytes share one allocation, and the empty queue is a NULL pointer. So an idle owner
 * pays for one pointer. All functions that may allocate take a pointer to that pointer.
 */
struct buffer {
    size_t capacity; /* of data[] */
    size_t start;    /* first byte held */
    size_t end;      /* one past the last byte held */
    size_t scanned;  /* for the owner: bytes after start that a parser has already looked at */
    uint64_t stamp;  /* for the owner: a time in ms that goes with these bytes */
    uint8_t data[];
};

static inline size_t buffer_size(const struct buffer *b)
{
    return b ? b->end - b->start : 0;
}

static inline uint8_t *buffer_head(struct buffer *b)
{
    return b->data + b->start;
}

/* Where the next byte goes; valid for buffer_room() bytes. */
static inline uint8_t *buffer_tail(struct buffer *b)
{
    return b->data + b->end;
}

static inline size_t buffer_room(const struct buffer *b)
{
    return b ? b->capacity - b->end : 0;
}

/* Drops the bytes but keeps the memory. Meant for reusable scratch space. */
static inline void buffer_clear(struct buffer *b)
{
    if (b)
        b->start = b->end = b->scanned = 0;
}

/* Makes room for at least `room` more bytes. Capacity doubles, so appending n bytes costs O(n)
 * copying. Returns 0 or -ENOMEM (also if the sum overflows). On failure nothing has changed. */
int buffer_reserve(struct buffer **b, size_t room);

/* Commits `n` bytes, at most buffer_room(), that the caller wrote at buffer_tail(). */
static inline void buffer_commit(struct buffer *b, size_t n)
{
    assert(n <= buffer_room(b));
    b->end += n;
}

/* Copies n bytes to the end. 0 or -ENOMEM. */
int buffer_append_slow(struct buffer **b, const void *bytes, size_t n);

static inline int buffer_append(struct buffer **b, const void *bytes, size_t n)
{
    if (n > buffer_room(*b) || !*b)
        return buffer_append_slow(b, bytes, n);
    memcpy(buffer_tail(*b), bytes, n);
    (*b)->end += n;
    return 0;
}

/* Drops n bytes, at most buffer_size(), from the front. */
static inline void buffer_consume(struct buffer *b, size_t n)
{
    assert(n <= buffer_size(b));
    b->start += n;
    b->scanned = b->scanned > n ? b->scanned - n : 0;
}

/* Drops all but the first `size` bytes, at most buffer_size(). Undoes an unfinished append. */
static inline void buffer_truncate(struct buffer *b, size_t size)
{
    assert(size <= buffer_size(b));
    if (b)
        b->end = b->start + size;
}

/* Frees the memory; *b becomes NULL. NULL is fine. */
void buffer_free(struct buffer **b);
