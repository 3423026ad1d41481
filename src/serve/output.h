/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/transport.h"
#include "serve/context.h"
#include "serve/slot.h"

/*
 * What a connection owes its peer: replies that wait for their records, and bytes that the kernel
 * has not taken. It is a circle of slots in the order in which they go:
 *
 *     oldest ──► … ──► last ──► oldest again; the oldest is last->next
 *
 * A connection that owes nothing has nothing of this but a NULL pointer. At most one slot waits for
 * the peer alone, the oldest: replies that may go, and do not, are put into it. So slots are few: a
 * recorder has so many records at most.
 *
 * Once the outgoing direction has ended, all that is given to it is thrown away.
 */
struct output {
    struct slot *last; /* NULL: nothing is owed */
};

/* Sends n bytes, behind all that is owed. 0; -ENOMEM: the connection cannot go on. */
int output_send(struct output *o, struct context *x, struct transport *t, const void *bytes,
                size_t n);

/* Holds n bytes, the replies to `waits` records, until these are where they should be. 0, and in
 * *ret the slot to complete, or NULL where the peer takes nothing more; -ENOMEM: the connection
 * cannot go on. */
int output_hold(struct output *o, struct context *x, struct transport *t, const void *bytes,
                size_t n, unsigned waits, struct slot **ret);

/* Sends what may go by now, as far as the kernel takes it. 0; or a negative errno: all before it is
 * sent, the record of this reply could not be made for that reason, and it and those behind it are
 * gone. */
int output_flush(struct output *o, struct context *x, struct transport *t);

/* Throws everything away, and lets go of all slots. 0; or a negative errno: a record could not be
 * made for that reason, which output_flush() has not told yet. */
int output_abandon(struct output *o, struct context *x);

static inline bool output_is_empty(const struct output *o)
{
    return !o->last;
}

/* Bytes that are owed, held ones too. */
static inline size_t output_size(const struct output *o)
{
    const struct slot *oldest = o->last ? o->last->next : NULL;

    return oldest ? o->last->begin + o->last->size - (oldest->begin + oldest->sent) : 0;
}

/* Whether the oldest reply waited for its record when last looked at: it is not the peer that
 * keeps us. */
static inline bool output_holds(const struct output *o)
{
    return o->last && o->last->next->progress_ms == 0;
}

/* Since when the peer has taken nothing of what may go, in ms. The kernel reports room only when a
 * good part of its buffer is free (tcp(7), sk_stream_is_writeable()). With a slow peer that may
 * take minutes. So this looks at what the peer's kernel took. Something must be owed, and not
 * held. */
uint64_t output_stuck_since(struct output *o, const struct context *x, const struct transport *t);

/* The same as known so far, without asking the kernel. */
static inline uint64_t output_progress_ms(const struct output *o)
{
    assert(o->last && !output_holds(o));
    return o->last->next->progress_ms;
}

/* We made the peer wait for `ms`, which does not count against it. */
void output_excuse(struct output *o, const struct context *x, uint64_t ms);
