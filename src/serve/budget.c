/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <malloc.h>

#include "base/macros.h"
#include "serve/budget.h"

#define TRIM_ABOVE ((size_t)256 * 1024)

/* Makes free(3) return the free end of a heap to the system. malloc_trim(3) returns free memory
 * within a heap, but not at its end (mallopt(3)). */
void budget_begin(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, 32 * 1024);
    (void)mallopt(M_TOP_PAD, 32 * 1024);
}

static size_t limit(const struct budget *b)
{
    return atomic_load_explicit(b->limit, memory_order_relaxed);
}

static void note_peak(struct budget *b)
{
    b->peak = MAX(b->peak, b->used + b->held);
}

size_t budget_room_for_gone(const struct budget *b)
{
    size_t half = limit(b) / 2;

    return half - MIN(half, b->used);
}

int budget_take(struct budget *b, size_t n)
{
    if (b->used + n > limit(b))
        return -ENOMEM;
    b->used += n;
    note_peak(b);
    return 0;
}

void budget_give(struct budget *b, size_t n)
{
    assert(b->used >= n);
    b->used -= n;
}

void budget_hold(struct budget *b, size_t n)
{
    b->held += n;
    note_peak(b);
}

void budget_release(struct budget *b, size_t n)
{
    assert(b->held >= n);
    b->held -= n;
}

bool budget_may_hold(const struct budget *b, size_t n)
{
    return b->held + n <= limit(b) / 2;
}

int budget_append(struct budget *b, struct buffer **buffer, const void *bytes, size_t n,
                  uint64_t now_ms)
{
    size_t before = *buffer ? (*buffer)->capacity : 0;

    if (b->used + n > limit(b) || buffer_append(buffer, bytes, n) < 0)
        return -ENOMEM;
    if (before == 0)
        (*buffer)->stamp = now_ms;
    b->used += (*buffer)->capacity - before;
    note_peak(b);
    return 0;
}

void budget_free(struct budget *b, struct buffer **buffer)
{
    if (*buffer)
        budget_give(b, (*buffer)->capacity);
    buffer_free(buffer);
}

bool budget_is_slack(const struct budget *b)
{
    return b->peak > TRIM_ABOVE && b->used + b->held < b->peak / 4;
}

/* malloc(3) keeps freed buffers as long as memory after them in the same heap is in use. */
void budget_trim(struct budget *b)
{
    (void)malloc_trim(0);
    b->peak = b->used + b->held;
}
