/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "ask-bench/message.h"
#include "base/macros.h"

/* Enough to tell neighbouring replies apart, and few enough for the processor's cache. */
#define CYCLE       64
#define CYCLE_BYTES (256 * 1024)

static void fill(char *text, size_t size, uint32_t number)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    char head[16];
    size_t n = (size_t)snprintf(head, sizeof head, "%u-", number);

    for (size_t i = 0; i < size; i++)
        text[i] = letters[(i + number) % (sizeof letters - 1)];
    if (n <= size)
        memcpy(text, head, n);
}

static int append(struct message *m, enum framing framing, const char *text, uint32_t number)
{
    ssize_t start = frame_begin(framing, &m->bytes);
    int r;

    if (start < 0)
        return (int)start;
    r = buffer_reserve(&m->bytes, m->size);
    if (r < 0)
        return r;
    if (text)
        memcpy(buffer_tail(m->bytes), text, m->size);
    else
        fill((char *)buffer_tail(m->bytes), m->size, number);
    buffer_commit(m->bytes, m->size);
    return frame_end(framing, &m->bytes, (size_t)start, false);
}

/* The offset of the message in its frame. */
static size_t find_payload(const struct message *m, enum framing framing)
{
    struct frame frame = { 0 };
    size_t scanned = 0;

    (void)frame_next(framing, m->size, buffer_head(m->bytes), m->frame_size, true, &scanned,
                     &frame);
    return (size_t)(frame.data - buffer_head(m->bytes));
}

int message_init(struct message *m, enum framing framing, const char *text, size_t size,
                 uint32_t most)
{
    uint64_t count;
    int r;

    *m = (struct message){ .size = text ? strlen(text) : size, .cycle = 1 };
    if (!text)
        m->cycle = (uint32_t)MAX(MIN((size_t)CYCLE, CYCLE_BYTES / MAX(size, (size_t)1)), (size_t)1);
    count = (uint64_t)m->cycle + most;
    r = append(m, framing, text, 0);
    m->frame_size = buffer_size(m->bytes);
    for (uint64_t i = 1; i < count && r >= 0; i++)
        r = append(m, framing, text, (uint32_t)(i % m->cycle));
    if (r < 0) {
        message_deinit(m);
        return r;
    }
    m->payload_at = find_payload(m, framing);
    return 0;
}

void message_deinit(struct message *m)
{
    buffer_free(&m->bytes);
}
