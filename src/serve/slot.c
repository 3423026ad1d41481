/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "serve/slot.h"

struct slot *slot_new(struct source *owner, const void *bytes, size_t n, unsigned waits)
{
    struct slot *s = malloc(sizeof *s + n);

    assert(owner);
    if (!s)
        return NULL;
    *s = (struct slot){ .owner = owner, .waits = waits, .size = n, .capacity = n };
    if (n > 0)
        memcpy(s->bytes, bytes, n);
    return s;
}

struct slot *slot_grow(struct slot *s, size_t capacity)
{
    struct slot *grown = malloc(sizeof *grown + capacity);

    assert(slot_whole(s) && capacity >= s->size - s->sent);
    if (!grown)
        return NULL;
    *grown = *s;
    grown->begin += s->sent;
    grown->size -= s->sent;
    grown->sent = 0;
    grown->capacity = capacity;
    memcpy(grown->bytes, s->bytes + s->sent, grown->size);
    free(s);
    return grown;
}

void slot_complete(struct slot *s, struct loop *l, unsigned n, int error)
{
    assert(n > 0 && n <= s->waits);
    s->waits -= n;
    s->error = s->error ?: error;
    if (s->waits > 0)
        return;
    if (s->owner)
        loop_queue(l, s->owner);
    else
        free(s);
}

void slot_let_go(struct slot *s)
{
    if (slot_whole(s))
        free(s);
    else
        s->owner = NULL;
}
