/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "serve/output.h"

static void note_progress(struct backlog *b, const struct context *x, const struct transport *t)
{
    b->progress_ms = context_ms(x);
    b->in_flight = transport_in_flight(t);
}

uint64_t output_stuck_since(struct output *o, const struct context *x, const struct transport *t)
{
    struct backlog *b = o->backlog;

    if (transport_in_flight(t) < b->in_flight)
        note_progress(b, x, t);
    return b->progress_ms;
}

void output_excuse(struct output *o, const struct context *x, uint64_t ms)
{
    if (o->backlog)
        o->backlog->progress_ms = MIN(context_ms(x), o->backlog->progress_ms + ms);
}

static struct backlog *need_backlog(struct output *o)
{
    struct backlog *b = o->backlog;

    if (b)
        return b;
    b = malloc(sizeof *b);
    if (b)
        *b = (struct backlog){ .tail = &b->first };
    return o->backlog = b;
}

static void free_backlog(struct output *o, struct context *x)
{
    assert(!o->backlog->first);
    budget_free(&x->budget, &o->backlog->bytes);
    free(o->backlog);
    o->backlog = NULL;
}

static _inline_ size_t send_now(struct context *x, struct transport *t, const void *bytes, size_t n)
{
    size_t sent = transport_send(t, &x->loop, bytes, n);

    count(&x->counters.bytes_out, sent);
    return sent;
}

/* Puts the bytes at the end of the backlog. Where that fails, no empty backlog is left, which
 * nobody would flush. */
static int keep(struct output *o, struct context *x, const void *bytes, size_t n)
{
    struct backlog *b = need_backlog(o);
    int r;

    if (!b)
        return -ENOMEM;
    r = n > 0 ? budget_append(&x->budget, &b->bytes, bytes, n, context_ms(x)) : 0;
    if (r < 0 && !b->first && b->released == 0)
        free_backlog(o, x);
    return r;
}

/* What the kernel did not take at once, or may not go yet. */
_noinline_ static int send_later(struct output *o, struct context *x, struct transport *t,
                                 const void *bytes, size_t n)
{
    bool first = !o->backlog;
    int r;

    if (t->flags & TRANSPORT_OUT_ENDED)
        return 0;
    r = keep(o, x, bytes, n);
    if (r < 0)
        return r;
    /* What answers no record goes with the reply before it. */
    if (o->backlog->first)
        CONTAINER_OF(o->backlog->tail, struct slot, next)->size += n;
    else
        o->backlog->released += n;
    if (first)
        note_progress(o->backlog, x, t);
    return 0;
}

int output_send(struct output *o, struct context *x, struct transport *t, const void *bytes,
                size_t n)
{
    size_t sent = 0;

    if (n == 0)
        return 0;
    if (!o->backlog)
        sent = send_now(x, t, bytes, n);
    return sent == n ? 0 : send_later(o, x, t, (const uint8_t *)bytes + sent, n - sent);
}

int output_hold(struct output *o, struct context *x, struct transport *t, const void *bytes,
                size_t n, unsigned waits, struct slot **ret)
{
    struct slot *slot;
    int r;

    *ret = NULL;
    if (t->flags & TRANSPORT_OUT_ENDED)
        return 0;
    r = keep(o, x, bytes, n);
    if (r < 0)
        return r;
    slot = slot_new(&t->source, n, waits);
    if (!slot)
        return -ENOMEM;
    *o->backlog->tail = slot;
    o->backlog->tail = &slot->next;
    *ret = slot;
    return 0;
}

static void let_go_of_first(struct backlog *b)
{
    struct slot *s = b->first;

    b->first = s->next;
    if (!b->first)
        b->tail = &b->first;
    slot_let_go(s);
}

/* Lets the leading whole replies go. 0; or a negative errno: the next one never can, for that
 * reason. */
static int release(struct backlog *b)
{
    while (b->first && slot_whole(b->first)) {
        if (b->first->error < 0)
            return b->first->error;
        b->released += b->first->size;
        assert(b->released <= buffer_size(b->bytes));
        let_go_of_first(b);
    }
    return 0;
}

static void drop_held(struct backlog *b)
{
    while (b->first)
        let_go_of_first(b);
    buffer_truncate(b->bytes, b->released);
}

static void send_released(struct backlog *b, struct context *x, struct transport *t)
{
    size_t sent;

    if (b->released == 0)
        return;
    sent = send_now(x, t, buffer_head(b->bytes), b->released);
    if (sent == 0)
        return;
    buffer_consume(b->bytes, sent);
    b->released -= sent;
    if (b->released > 0)
        note_progress(b, x, t);
}

int output_flush(struct output *o, struct context *x, struct transport *t)
{
    struct backlog *b = o->backlog;
    bool nothing_was_due;
    int error;

    if (!b)
        return 0;
    nothing_was_due = b->released == 0;
    error = release(b);
    if (error < 0)
        drop_held(b);
    send_released(b, x, t);
    if (nothing_was_due && b->released > 0)
        note_progress(b, x, t);
    if (t->flags & TRANSPORT_OUT_ENDED)
        output_abandon(o, x);
    else if (b->released == 0 && !b->first)
        free_backlog(o, x);
    return error;
}

void output_abandon(struct output *o, struct context *x)
{
    if (!o->backlog)
        return;
    drop_held(o->backlog);
    free_backlog(o, x);
}
