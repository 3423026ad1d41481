/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/*
 * The memory that a worker's connections may use for buffered input and replies: an equal share of
 * MemoryLimit=. The limit is enforced here.
 */
struct budget {
    const atomic_size_t *limit; /* bytes; shared, and another thread may change it */
    size_t used;
    size_t held; /* in addition, for what is limited elsewhere, too: see budget_hold() */
    size_t peak; /* of both, since memory was last returned to the system */
};

/* Call once per process, before starting threads. Makes malloc(3) keep little freed memory. */
void budget_begin(void);

/* How many more bytes may be kept for peers that are gone: half of the memory, less all memory in
 * use. So peers that are still there can continue. */
size_t budget_room_for_gone(const struct budget *b);

/* Takes n bytes of the budget for memory that the caller allocates, or gives them back. 0; or
 * -ENOMEM if the limit is reached. */
int budget_take(struct budget *b, size_t n);
void budget_give(struct budget *b, size_t n);

/* Notes n bytes of other memory, such as a library's, and that they are freed. They take nothing
 * from the buffers. */
void budget_hold(struct budget *b, size_t n);
void budget_release(struct budget *b, size_t n);

/* Whether n more bytes of such memory are within half of the limit. */
bool budget_may_hold(const struct budget *b, size_t n);

/* Copies n bytes to the end of a connection's buffer. A new buffer gets now_ms as its stamp. 0; or
 * -ENOMEM if memory runs out or the limit is reached. On failure nothing has changed. */
int budget_append(struct budget *b, struct buffer **buffer, const void *bytes, size_t n,
                  uint64_t now_ms);

/* Frees such a buffer. NULL is fine. */
void budget_free(struct budget *b, struct buffer **buffer);

/* Whether memory use has dropped so much that returning memory is worth its cost. */
bool budget_is_slack(const struct budget *b);

/* Returns freed memory that malloc(3) has kept to the system. */
void budget_trim(struct budget *b);
