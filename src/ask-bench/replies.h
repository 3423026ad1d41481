/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask-bench/message.h"
#include "ask-bench/options.h"
#include "base/buffer.h"

#define REPLY_MAX MESSAGE_SIZE_MAX

/* The replies found in one read. */
struct replies {
    uint32_t count;
    uint32_t mismatched;  /* of these, replies that are not as expected */
    bool refusal;         /* the last reply begins like a refusal */
    bool last_mismatched; /* only with refusal: that reply is not in `mismatched` */
};

/*
 * Takes the replies out of bytes[n], which has room for one byte more. Keeps the start of an
 * unfinished reply in *partial. The first reply answers message `first` of the cycle; `awaited` of
 * them answer messages.
 *
 * eof: the stream has ended. An unfinished reply is an error then, except in `chunk` framing.
 *
 * 0, -EPROTO or -ENOMEM. *ret counts the replies before the error.
 */
int replies_parse(const struct options *o, const struct message *m, uint8_t *bytes, size_t n,
                  bool eof, uint32_t awaited, uint32_t first, struct buffer **partial,
                  struct replies *ret);
