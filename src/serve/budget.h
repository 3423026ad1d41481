/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/*
 * The memory that a worker's connections may take for what waits, bytes read and replies: its equal
 * part of MemoryLimit=, which is enforced here.
 */
struct budget {
    const atomic_size_t *limit; /* bytes; shared, and another thread may change it */
    size_t used;
    size_t peak; /* since memory was last given back to the system */
};

/* For the whole process, once, before there are threads: has malloc(3) keep little of what is
 * freed. */
void budget_begin(void);

/* How many more bytes may be kept for peers that are gone: half of the memory, less all that is
 * used. So peers that are there can go on. */
size_t budget_room_for_gone(const struct budget *b);

/* Takes n bytes of the budget for memory that the caller allocates itself, or gives them back. 0; or
 * -ENOMEM where the limit is reached. */
int budget_take(struct budget *b, size_t n);
void budget_give(struct budget *b, size_t n);

/* Copies n bytes to the end of a connection's buffer. A new buffer gets now_ms as its stamp. 0; or
 * -ENOMEM where memory or its limit is at an end: then nothing has changed. */
int budget_append(struct budget *b, struct buffer **buffer, const void *bytes, size_t n,
                  uint64_t now_ms);

/* Frees such a buffer. NULL is fine. */
void budget_free(struct budget *b, struct buffer **buffer);

/* Whether so much less is used than before that giving memory back is worth its cost. */
bool budget_is_slack(const struct budget *b);

/* Gives what malloc(3) keeps of freed buffers back to the system. */
void budget_trim(struct budget *b);
