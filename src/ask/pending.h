/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/*
 * Messages without a reply, oldest first. Replies come in the order of messages, so each reply
 * answers the first of these.
 */

struct pending_message {
    uint64_t sent_us;
    size_t size;
    const void *text; /* NULL unless texts are kept */
};

struct pending {
    struct pending_message *ring; /* capacity is a power of two, or 0 */
    size_t capacity, first, count;
    size_t bytes; /* the size of all messages in it */
    bool keep_text;
    struct buffer *texts;
};

/* keep_text: texts are needed later. */
void pending_init(struct pending *p, bool keep_text);
void pending_deinit(struct pending *p);

/* 0 or -ENOMEM. */
int pending_push(struct pending *p, const void *text, size_t size, uint64_t now_us);

/* Message i, counted from the oldest. *offset is 0 for the first message and advances with each.
 * Texts must be kept. The text is borrowed until the next push. */
const void *pending_text(const struct pending *p, size_t i, size_t *offset, size_t *ret_size);

/* Forgets all messages. */
void pending_clear(struct pending *p);

/* Takes the oldest message. Its text is borrowed until the next push. False if there is none. */
bool pending_pop(struct pending *p, struct pending_message *ret);
