/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "protocol/frame.h"

/*
 * The messages of a run, framed and ready to send. `cycle` messages of one size follow each other
 * and repeat. The bytes of any `most` successive messages are contiguous, wherever in the cycle
 * they begin.
 */
struct message {
    struct buffer *bytes;
    size_t size;       /* of a message, without framing */
    size_t frame_size; /* with framing */
    size_t payload_at; /* the offset of the message in its frame */
    uint32_t cycle;
};

#define MESSAGE_SIZE_MAX (16 * 1024 * 1024)

/*
 * text: the message; or NULL for messages of `size` bytes that differ: letters and digits that
 * begin with a number if there is room. most: the most messages sent at once.
 *
 * 0 or -ENOMEM.
 */
int message_init(struct message *m, enum framing framing, const char *text, size_t size,
                 uint32_t most);
void message_deinit(struct message *m);

/* Message `number` of the cycle, m->size bytes, borrowed. */
static inline const uint8_t *message_payload(const struct message *m, uint32_t number)
{
    return m->bytes->data + m->bytes->start + number * m->frame_size + m->payload_at;
}
