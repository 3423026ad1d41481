/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "protocol/frame.h"

/*
 * The server's bytes, put together to replies. No system calls: bytes are fed, cut anywhere.
 *
 * Memory follows what has arrived of one reply, never a length that the server only claims.
 */
struct replies {
    enum framing framing;
    size_t max; /* bytes that a reply may have */
    struct buffer *in;
};

void replies_init(struct replies *r, enum framing framing, size_t max);
void replies_deinit(struct replies *r);

/* Adds what one read returned. With FRAMING_CHUNK that is one reply, to be taken before the next
 * is fed. 0 or -ENOMEM. */
int replies_feed(struct replies *r, const void *bytes, size_t n);

/* What has come of a reply that is not complete, borrowed; 0 where there is nothing. */
size_t replies_rest(const struct replies *r, const uint8_t **ret);

/* Forgets what has come. */
void replies_clear(struct replies *r);

/* 1 and the next reply, its bytes borrowed until the next call; 0 when more bytes are needed;
 * -enum frame_error, now and ever after, when the bytes are no reply. */
int replies_next(struct replies *r, struct frame *ret);
