/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/transport.h"
#include "serve/context.h"
#include "serve/slot.h"

/*
 * What a connection owes its peer: replies that wait for their slots, and bytes that the kernel has
 * not taken. A connection that owes nothing has nothing of this but a NULL pointer.
 *
 *     bytes   │ may go: `released` │ of the first slot │ of the second │ …
 *
 * Once the outgoing direction has ended, all that is given to it is thrown away.
 */
struct backlog {
    struct slot *first, **tail; /* in order */
    struct buffer *bytes;       /* NULL while all replies are empty */
    size_t released;            /* so many of them may go */
    uint64_t progress_ms;       /* when the peer last took something */
    size_t in_flight;           /* as transport_in_flight() said then */
};

struct output {
    struct backlog *backlog; /* NULL: nothing is owed */
};

/* Sends n bytes, behind all that is owed. 0; -ENOMEM: the connection cannot go on. */
int output_send(struct output *o, struct context *x, struct transport *t, const void *bytes,
                size_t n);

/* Holds n bytes, the replies to `waits` records, until these are where they should be. 0, and in
 * *ret the slot to complete, or NULL where the peer takes nothing more; -ENOMEM: the connection
 * cannot go on. */
int output_hold(struct output *o, struct context *x, struct transport *t, const void *bytes,
                size_t n, unsigned waits, struct slot **ret);

/* Sends what may go by now, as far as the kernel takes it. 0; or a negative errno: the record of
 * the oldest reply could not be made for that reason, and that reply and those behind it are
 * gone. */
int output_flush(struct output *o, struct context *x, struct transport *t);

/* Throws everything away, and lets go of all slots. */
void output_abandon(struct output *o, struct context *x);

/* Bytes that are owed, held ones too. */
static inline size_t output_size(const struct output *o)
{
    return o->backlog ? buffer_size(o->backlog->bytes) : 0;
}

/* Whether a reply waits for its record. */
static inline bool output_holds(const struct output *o)
{
    return o->backlog && o->backlog->first;
}

/* Since when the peer has taken nothing of what may go, in ms. The kernel reports room only when a
 * good part of its buffer is free (tcp(7), sk_stream_is_writeable()). With a slow peer that may
 * take minutes. So this looks at what the peer's kernel took. There must be a backlog. */
uint64_t output_stuck_since(struct output *o, const struct context *x, const struct transport *t);

/* The same as known so far, without asking the kernel. There must be a backlog. */
static inline uint64_t output_progress_ms(const struct output *o)
{
    return o->backlog->progress_ms;
}

/* We made the peer wait for `ms`, which does not count against it. */
void output_excuse(struct output *o, const struct context *x, uint64_t ms);
