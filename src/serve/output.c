/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "serve/output.h"

static struct slot *oldest(const struct output *o)
{
    return o->last->next;
}

static void note_progress(struct slot *s, const struct context *x, const struct transport *t)
{
    s->progress_ms = context_ms(x);
    s->in_flight = transport_in_flight(t);
}

uint64_t output_stuck_since(struct output *o, const struct context *x, const struct transport *t)
{
    if (transport_in_flight(t) < oldest(o)->in_flight)
        note_progress(oldest(o), x, t);
    return output_progress_ms(o);
}

void output_excuse(struct output *o, const struct context *x, uint64_t ms)
{
    if (!output_is_empty(o) && !output_holds(o))
        oldest(o)->progress_ms = MIN(context_ms(x), oldest(o)->progress_ms + ms);
}

/* Adds the bytes at the end, in a new slot. NULL: out of memory. */
static struct slot *owe(struct output *o, struct context *x, struct transport *t, const void *bytes,
                        size_t n, unsigned waits)
{
    struct slot *s;

    if (budget_take(&x->budget, sizeof *s + n) < 0)
        return NULL;
    s = slot_new(&t->source, bytes, n, waits);
    if (!s) {
        budget_give(&x->budget, sizeof *s + n);
        return NULL;
    }
    s->next = s;
    if (o->last) {
        s->begin = o->last->begin + o->last->size;
        s->next = oldest(o);
        o->last->next = s;
    }
    o->last = s;
    return s;
}

static void drop_oldest(struct output *o, struct context *x)
{
    struct slot *s = oldest(o);

    o->last->next = s->next;
    if (s == o->last)
        o->last = NULL;
    budget_give(&x->budget, sizeof *s + s->capacity);
    slot_let_go(s);
}

static _inline_ size_t send_now(struct context *x, struct transport *t, const void *bytes, size_t n)
{
    size_t sent = transport_send(t, &x->loop, bytes, n);

    count(&x->counters.bytes_out, sent);
    return sent;
}

static bool may_go(const struct slot *s)
{
    return slot_whole(s) && s->error == 0;
}

/* Makes room for n more bytes in the oldest slot, which must be ready to send. 0 or -ENOMEM. */
static int make_room(struct output *o, struct context *x, size_t n)
{
    struct slot *s = oldest(o), *grown;
    size_t unsent = s->size - s->sent, capacity = 2 * (unsent + n), before;

    if (s->capacity - s->size >= n)
        return 0;
    if (budget_take(&x->budget, sizeof *s + capacity) < 0)
        return -ENOMEM;
    before = sizeof *s + s->capacity;
    grown = slot_grow(s, capacity);
    budget_give(&x->budget, grown ? before : sizeof *s + capacity);
    if (!grown)
        return -ENOMEM;
    if (o->last == s)
        o->last = grown->next = grown;
    else
        o->last->next = grown;
    return 0;
}

/* Appends bytes to the oldest slot, which must be ready to send. 0 or -ENOMEM. */
static int append(struct output *o, struct context *x, const void *bytes, size_t n)
{
    struct slot *s;

    if (make_room(o, x, n) < 0)
        return -ENOMEM;
    s = oldest(o);
    memcpy(s->bytes + s->size, bytes, n);
    s->size += n;
    return 0;
}

/* Queues bytes that the kernel did not take, or that cannot be sent yet. */
_noinline_ static int send_later(struct output *o, struct context *x, struct transport *t,
                                 const void *bytes, size_t n)
{
    bool first = output_is_empty(o);
    struct slot *s;

    if (t->flags & TRANSPORT_OUT_ENDED)
        return 0;
    if (!first && o->last == oldest(o) && may_go(o->last))
        return append(o, x, bytes, n);
    s = owe(o, x, t, bytes, n, 0);
    if (!s)
        return -ENOMEM;
    if (first)
        note_progress(s, x, t);
    return 0;
}

int output_send(struct output *o, struct context *x, struct transport *t, const void *bytes,
                size_t n)
{
    size_t sent = 0;

    if (n == 0)
        return 0;
    if (output_is_empty(o))
        sent = send_now(x, t, bytes, n);
    return sent == n ? 0 : send_later(o, x, t, (const uint8_t *)bytes + sent, n - sent);
}

int output_hold(struct output *o, struct context *x, struct transport *t, const void *bytes,
                size_t n, unsigned waits, struct slot **ret)
{
    *ret = NULL;
    if (t->flags & TRANSPORT_OUT_ENDED)
        return 0;
    *ret = owe(o, x, t, bytes, n, waits);
    return *ret ? 0 : -ENOMEM;
}

/* Points *ret at the bytes to send next, and returns their number. Several short replies are copied
 * together. The oldest slot must be ready to send. */
static size_t gather(const struct output *o, struct context *x, const uint8_t **ret)
{
    const struct slot *s = oldest(o);
    size_t n = 0;

    *ret = s->bytes + s->sent;
    if (s == o->last || !may_go(s->next) || s->size - s->sent >= sizeof x->scratch)
        return s->size - s->sent;
    *ret = x->scratch;
    do {
        size_t some = MIN(s->size - s->sent, sizeof x->scratch - n);

        memcpy(x->scratch + n, s->bytes + s->sent, some);
        n += some;
        s = s->next;
    } while (s != oldest(o) && may_go(s) && n < sizeof x->scratch);
    return n;
}

/* Removes n bytes that gather() returned and that were sent, and frees the slots that are
 * finished. */
static void consume(struct output *o, struct context *x, size_t n)
{
    while (o->last && may_go(oldest(o)) && oldest(o)->size - oldest(o)->sent <= n) {
        n -= oldest(o)->size - oldest(o)->sent;
        drop_oldest(o, x);
    }
    assert(n == 0 || o->last);
    if (n > 0)
        oldest(o)->sent += n;
}

/* Returns whether the peer's kernel took any bytes. */
static bool send_what_may_go(struct output *o, struct context *x, struct transport *t)
{
    bool took = false;

    while (o->last && may_go(oldest(o))) {
        const uint8_t *bytes;
        size_t n, sent;

        if (!transport_writable(t)) {
            consume(o, x, 0); /* empty slots need no room */
            break;
        }
        n = gather(o, x, &bytes);
        sent = n > 0 ? send_now(x, t, bytes, n) : 0;

        consume(o, x, sent);
        took |= sent > 0;
        if (sent < n)
            break;
    }
    return took;
}

/* Merges the replies that are ready but were not taken into one slot. If memory runs out, they stay
 * as they are. */
static void fold(struct output *o, struct context *x)
{
    struct slot *first = oldest(o), *s;

    while ((s = first->next) != first && may_go(s)) {
        if (append(o, x, s->bytes, s->size) < 0)
            return;
        first = oldest(o);
        /* append() may have moved the oldest slot, but the second still follows it. */
        first->next = s->next;
        if (o->last == s)
            o->last = first;
        budget_give(&x->budget, sizeof *s + s->capacity);
        slot_let_go(s);
    }
}

int output_abandon(struct output *o, struct context *x)
{
    int error = 0;

    while (o->last) {
        error = error ?: oldest(o)->error;
        drop_oldest(o, x);
    }
    return error;
}

int output_flush(struct output *o, struct context *x, struct transport *t)
{
    bool took = send_what_may_go(o, x, t);

    if (!o->last)
        return 0;
    if (t->flags & TRANSPORT_OUT_ENDED || (slot_whole(oldest(o)) && !may_go(oldest(o))))
        return output_abandon(o, x);
    if (!may_go(oldest(o)))
        return 0;
    fold(o, x);
    if (took || output_holds(o))
        note_progress(oldest(o), x, t);
    return 0;
}
