/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "base/buffer.h"

#define CAPACITY_MIN 64

int buffer_reserve(struct buffer **b, size_t room)
{
    struct buffer *old = *b, *new;
    size_t size = buffer_size(old), need, capacity;

    if (old && buffer_room(old) >= room)
        return 0;
    if (__builtin_add_overflow(size, room, &need) || need > SIZE_MAX / 4)
        return -ENOMEM;

    /* Moving to the front copies at most as many bytes as were consumed since the last move.
     * Otherwise the capacity doubles. Either way, appending a few bytes does not copy a long queue
     * each time. */
    if (old && need <= old->capacity && size <= old->start) {
        memcpy(old->data, old->data + old->start, size);
        old->start = 0;
        old->end = size;
        return 0;
    }

    capacity = old ? 2 * old->capacity : CAPACITY_MIN;
    while (capacity < need)
        capacity *= 2;

    new = malloc(sizeof *new + capacity);
    if (!new)
        return -ENOMEM;
    *new = (struct buffer){ .capacity = capacity, .end = size };
    if (old) {
        memcpy(new->data, old->data + old->start, size);
        new->scanned = old->scanned;
        new->stamp = old->stamp;
        free(old);
    }
    *b = new;
    return 0;
}

int buffer_append_slow(struct buffer **b, const void *bytes, size_t n)
{
    int r = buffer_reserve(b, n);

    if (r < 0)
        return r;
    memcpy(buffer_tail(*b), bytes, n);
    (*b)->end += n;
    return 0;
}

void buffer_free(struct buffer **b)
{
    free(*b);
    *b = NULL;
}
