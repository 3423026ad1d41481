/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ask/replies.h"

void replies_init(struct replies *r, enum framing framing, size_t max)
{
    *r = (struct replies){ .framing = framing, .max = max };
}

void replies_deinit(struct replies *r)
{
    buffer_free(&r->in);
}

int replies_feed(struct replies *r, const void *bytes, size_t n)
{
    if (buffer_size(r->in) == 0)
        buffer_clear(r->in);
    return buffer_append(&r->in, bytes, n);
}

size_t replies_rest(const struct replies *r, const uint8_t **ret)
{
    if (buffer_size(r->in) == 0)
        return 0;
    *ret = buffer_head(r->in);
    return buffer_size(r->in);
}

void replies_clear(struct replies *r)
{
    buffer_clear(r->in);
}

int replies_next(struct replies *r, struct frame *ret)
{
    struct frame frame;
    ssize_t used;

    if (buffer_size(r->in) == 0)
        return 0;
    used = frame_next(r->framing, r->max, buffer_head(r->in), buffer_size(r->in), false,
                      &r->in->scanned, &frame);
    if (used <= 0)
        return (int)used;
    /* Only the position moves. The bytes stay in place until more are fed. */
    buffer_consume(r->in, (size_t)used);
    *ret = frame;
    return 1;
}
