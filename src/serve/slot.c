/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdlib.h>

#include "serve/slot.h"

struct slot *slot_new(struct source *owner, size_t size, unsigned waits)
{
    struct slot *s = malloc(sizeof *s);

    assert(owner && waits > 0);
    if (s)
        *s = (struct slot){ .owner = owner, .size = size, .waits = waits };
    return s;
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
