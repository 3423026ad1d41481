/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Equal-sized items in 64 KiB chunks, for one thread.
 *
 * A chunk goes back to the system with its last item, and new items go into chunks that are already
 * in use. So memory use follows the number of items down as well as up. malloc() cannot promise
 * that: one survivor at the end of its heap keeps everything below it.
 */

struct pool_chunk;

struct pool {
    size_t item_size;
    size_t per_chunk;
    struct pool_chunk *partial; /* chunks with a free item */
    struct pool_chunk *full;
    struct pool_chunk *spare; /* an empty one, so that an item that comes and goes costs no
                                 system call */
};

/* item_size: at least 64 and at most 4096 bytes; rounded up to 8. */
void pool_init(struct pool *p, size_t item_size);
/* All items must have been freed. */
void pool_deinit(struct pool *p);

/* A zeroed item, or NULL. */
void *pool_alloc(struct pool *p);
void pool_free(struct pool *p, void *item);

/* Calls fn for each item in use. fn may free the item it gets, but no other. */
void pool_for_each(struct pool *p, void (*fn)(void *item, void *userdata), void *userdata);
