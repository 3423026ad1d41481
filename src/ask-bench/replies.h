/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask-bench/message.h"
#include "ask-bench/options.h"
#include "base/buffer.h"

#define REPLY_MAX MESSAGE_SIZE_MAX

/* The replies in what was read. */
struct replies {
    uint32_t count;
    uint32_t mismatched;  /* of them, that are not what was asked for */
    bool refusal;         /* the last one begins like a refusal */
    bool last_mismatched; /* with refusal: then it is not in `mismatched` */
};

/*
 * Takes the replies out of bytes[n], which has room for one byte more, and keeps what is left of
 * an unfinished one in *partial. The first of them belongs to message `first` of the cycle;
 * `awaited` of them are replies to messages.
 *
 * 0, -EPROTO or -ENOMEM; *ret is what came before that.
 */
int replies_parse(const struct options *o, const struct message *m, uint8_t *bytes, size_t n,
                  bool eof, uint32_t awaited, uint32_t first, struct buffer **partial,
                  struct replies *ret);
