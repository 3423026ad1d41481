/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

/*
 * A pending reply, at its place in a connection's order.
 *
 * A slot waits for records, and is whole when all of them have arrived. The recorder completes it,
 * but never touches a connection: a slot that becomes whole puts its owner on the ready list. When
 * the loop comes to the owner, it sends its leading whole slots. So replies keep their order no
 * matter which is completed first, and no byte of one reaches another client.
 *
 * The replies to the messages of one feed share a slot. A large message has its own; input.c says
 * why. A reply without a record is a slot that waits for nothing. Bytes that the kernel did not
 * take are also such a slot: the oldest one, which grows.
 *
 * A waiting slot has two users: the connection, until it has sent the reply, and the recorder,
 * until all records are completed. An owner that ends first releases its slots. Then the last
 * record to complete frees them.
 */
struct slot {
    struct source *owner; /* NULL: the owner has ended */
    unsigned waits;       /* number of records it waits for */
    int error;            /* a negative errno: a record failed, and there is no reply */

    /* for output.c */
    struct slot *next;    /* the next younger slot; for the youngest, the oldest */
    uint64_t begin;       /* offset of its first byte, counted from when nothing was pending */
    uint64_t progress_ms; /* of the oldest: when the peer last took something; 0: at the last
                             check it waited for records */
    size_t in_flight;     /* transport_in_flight() at that time */
    size_t sent;          /* bytes already sent */

    size_t size, capacity; /* of bytes[]: used, and allocated */
    uint8_t bytes[];
};

/* bytes: the reply, n bytes, which are copied. waits: the number of records; 0: whole from the
 * start. NULL: out of memory. */
struct slot *slot_new(struct source *owner, const void *bytes, size_t n, unsigned waits);

static inline bool slot_whole(const struct slot *s)
{
    return s->waits == 0;
}

/* n of its records have arrived, or failed with a negative errno. The last one queues the owner, or
 * frees the slot. */
void slot_complete(struct slot *s, struct loop *l, unsigned n, int error);

/* Replaces a whole slot by one with the unsent bytes and the given capacity; frees the old slot.
 * NULL: out of memory, and nothing has changed. */
struct slot *slot_grow(struct slot *s, size_t capacity);

/* The owner has sent the reply, or has ended. It does not touch the slot any more. */
void slot_let_go(struct slot *s);
