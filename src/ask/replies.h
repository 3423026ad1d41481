/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "protocol/frame.h"

/*
 * Assembles replies from the server's bytes, cut anywhere. No system calls.
 *
 * Memory use follows the bytes received, not a length that the server claims.
 */
struct replies {
    enum framing framing;
    size_t max; /* the longest reply, in bytes */
    struct buffer *in;
};

void replies_init(struct replies *r, enum framing framing, size_t max);
void replies_deinit(struct replies *r);

/* Adds the bytes of one read. With FRAMING_CHUNK they are one reply; take it before feeding more. 0
 * or -ENOMEM. */
int replies_feed(struct replies *r, const void *bytes, size_t n);

/* The bytes so far of an incomplete reply, borrowed; 0 if there are none. */
size_t replies_rest(const struct replies *r, const uint8_t **ret);

/* Drops all bytes. */
void replies_clear(struct replies *r);

/* 1 and the next reply, borrowed until the next call; 0 if more bytes are needed; -enum
 * frame_error, from then on always, if the bytes are not a reply. */
int replies_next(struct replies *r, struct frame *ret);
