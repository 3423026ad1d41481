/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

/*
 * A reply that is owed, in its place in a connection's order.
 *
 * A slot waits for records, and is whole when all of them are where they should be. The recorder,
 * which completes it, never touches a connection: a slot that becomes whole puts its owner on the
 * ready list. When the loop comes to the owner, it sends its leading whole slots. So replies keep
 * their order whatever is completed first, and no byte of one reaches another client.
 *
 * The replies to the messages of one feed share a slot. A large message has a slot of its own:
 * input.c has the reason. What answers no record is a slot that waits for nothing. So are the bytes
 * that the kernel did not take: they are one slot, the oldest, which grows.
 *
 * A slot that waits has two users: the connection, until that has sent the reply, and the recorder,
 * until all its records are completed. An owner that ends first lets go of its slots. The last
 * record to complete then frees them.
 */
struct slot {
    struct source *owner; /* NULL: it has ended */
    unsigned waits;       /* for so many records */
    int error;            /* a negative errno: one of them could not be made, and no reply goes */

    /* output.c's */
    struct slot *next;    /* the next younger one; of the youngest: the oldest */
    uint64_t begin;       /* offset of its first byte, counted from when nothing was owed */
    uint64_t progress_ms; /* of the oldest: when the peer last took something; 0: it could not go
                             when last looked at */
    size_t in_flight;     /* as transport_in_flight() said then */
    size_t sent;          /* so many bytes are gone */

    size_t size, capacity; /* of bytes[]: those that are there, and room */
    uint8_t bytes[];
};

/* bytes: n of them, the reply, which is copied. waits: for so many records; 0: whole from the
 * start. NULL, out of memory. */
struct slot *slot_new(struct source *owner, const void *bytes, size_t n, unsigned waits);

static inline bool slot_whole(const struct slot *s)
{
    return s->waits == 0;
}

/* n of its records are where they should be; or, with a negative errno, never will be. With the
 * last one, the owner is queued, or the slot freed. */
void slot_complete(struct slot *s, struct loop *l, unsigned n, int error);

/* A copy of a whole slot with what of it is not sent, and room for that capacity; the slot is freed.
 * NULL, out of memory: nothing has changed. */
struct slot *slot_grow(struct slot *s, size_t capacity);

/* The owner has sent the reply, or has ended, and does not touch the slot any more. */
void slot_let_go(struct slot *s);
