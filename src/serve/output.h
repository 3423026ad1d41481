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
 * Output that is pending for a peer: replies that wait for their records, and bytes that the kernel
 * has not taken. It is a circle of slots in sending order:
 *
 *     oldest ──► … ──► last ──► oldest again; the oldest is last->next
 *
 * A connection with no pending output has only a NULL pointer. At most one slot waits for the peer
 * alone, the oldest: replies that are ready but were not taken are merged into it. So there are few
 * slots: the others wait for records, and a recorder has a limited number of those.
 *
 * Once the outgoing direction has ended, all output is dropped.
 */
struct output {
    struct slot *last; /* NULL: nothing is pending */
};

/* Sends n bytes after everything pending. 0; -ENOMEM: the connection cannot continue. */
int output_send(struct output *o, struct context *x, struct transport *t, const void *bytes,
                size_t n);

/* Holds n bytes, the replies to `waits` records, until those records have arrived. Returns 0, with
 * the slot to complete in *ret, or NULL if the peer accepts no more data; or -ENOMEM if the
 * connection cannot continue. */
int output_hold(struct output *o, struct context *x, struct transport *t, const void *bytes,
                size_t n, unsigned waits, struct slot **ret);

/* Sends the replies that are ready, as far as the kernel takes them. Returns 0; or a negative errno
 * if a record failed for that reason: all replies before it are sent, and its reply and all later
 * ones are dropped. */
int output_flush(struct output *o, struct context *x, struct transport *t);

/* Drops everything, and releases all slots. Returns 0; or a negative errno if a record failed for
 * that reason, and output_flush() has not reported it. */
int output_abandon(struct output *o, struct context *x);

static inline bool output_is_empty(const struct output *o)
{
    return !o->last;
}

/* Pending bytes, including held replies. */
static inline size_t output_size(const struct output *o)
{
    const struct slot *oldest = o->last ? o->last->next : NULL;

    return oldest ? o->last->begin + o->last->size - (oldest->begin + oldest->sent) : 0;
}

/* Whether the oldest reply waited for its record at the last check. If so, the peer is not to
 * blame. */
static inline bool output_holds(const struct output *o)
{
    return o->last && o->last->next->progress_ms == 0;
}

/* Since when, in ms, the peer has taken none of the output that is ready. The kernel reports room
 * only when a third of its buffer is free (tcp(7), sk_stream_is_writeable()), which can take
 * minutes with a slow peer. So this also checks how much the peer's kernel took. Output must be
 * pending, and not held. */
uint64_t output_stuck_since(struct output *o, const struct context *x, const struct transport *t);

/* Like output_stuck_since(), but without asking the kernel. */
static inline uint64_t output_progress_ms(const struct output *o)
{
    assert(o->last && !output_holds(o));
    return o->last->next->progress_ms;
}

/* We made the peer wait for `ms`. That time does not count against it. */
void output_excuse(struct output *o, const struct context *x, uint64_t ms);
