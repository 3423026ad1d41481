/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "protocol/frame.h"

/*
 * The messages of a run, framed and ready to be sent: `cycle` of them, all of one size, one behind
 * the other, over and over. The bytes of any `most` messages in a row lie in one piece, wherever in
 * the cycle they begin.
 */
struct message {
    struct buffer *bytes;
    size_t size;       /* of a message, without framing */
    size_t frame_size; /* with it */
    size_t payload_at; /* where in a frame the message begins */
    uint32_t cycle;
};

#define MESSAGE_SIZE_MAX (16 * 1024 * 1024)

/*
 * text: what every message says, or NULL for messages of `size` bytes that differ from each other:
 * letters and digits, beginning with a number where there is room. most: how many are sent at once.
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
