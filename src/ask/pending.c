/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "ask/pending.h"

#define CAPACITY_MIN 64

void pending_init(struct pending *p, bool keep_text)
{
    *p = (struct pending){ .keep_text = keep_text };
}

void pending_deinit(struct pending *p)
{
    free(p->ring);
    buffer_free(&p->texts);
    *p = (struct pending){ 0 };
}

static int grow(struct pending *p)
{
    size_t capacity = p->capacity > 0 ? p->capacity * 2 : CAPACITY_MIN;
    struct pending_message *ring;

    ring = reallocarray(NULL, capacity, sizeof *ring);
    if (!ring)
        return -ENOMEM;
    for (size_t i = 0; i < p->count; i++)
        ring[i] = p->ring[(p->first + i) & (p->capacity - 1)];
    free(p->ring);
    p->ring = ring;
    p->capacity = capacity;
    p->first = 0;
    return 0;
}

int pending_push(struct pending *p, const void *text, size_t size, uint64_t now_us)
{
    int r;

    if (p->count == p->capacity) {
        r = grow(p);
        if (r < 0)
            return r;
    }
    if (p->keep_text) {
        r = buffer_append(&p->texts, text, size);
        if (r < 0)
            return r;
    }
    p->ring[(p->first + p->count) & (p->capacity - 1)] =
        (struct pending_message){ .sent_us = now_us, .size = size };
    p->count++;
    p->bytes += size;
    return 0;
}

const void *pending_text(const struct pending *p, size_t i, size_t *offset, size_t *ret_size)
{
    const uint8_t *text = buffer_size(p->texts) > 0 ? buffer_head(p->texts) + *offset : NULL;

    *ret_size = p->ring[(p->first + i) & (p->capacity - 1)].size;
    *offset += *ret_size;
    return text;
}

void pending_clear(struct pending *p)
{
    bool keep_text = p->keep_text;

    pending_deinit(p);
    pending_init(p, keep_text);
}

bool pending_pop(struct pending *p, struct pending_message *ret)
{
    if (p->count == 0)
        return false;
    *ret = p->ring[p->first];
    p->first = (p->first + 1) & (p->capacity - 1);
    p->count--;
    p->bytes -= ret->size;
    if (p->keep_text) {
        ret->text = buffer_head(p->texts);
        buffer_consume(p->texts, ret->size);
    }
    return true;
}
