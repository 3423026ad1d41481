/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Input: a byte for the framing, one for the longest reply, one for the pieces, and the data of a
 * server. However it is cut, ask must read the same replies and the same error, keep returning that
 * error, and hold no more than it was fed.
 */

#include "ask/replies.h"
#include "target.h"

struct server {
    enum framing framing;
    size_t max;
    const uint8_t *data;
    size_t size;
};

static void append(struct buffer **log, const void *bytes, size_t n)
{
    CHECK(buffer_append(log, bytes, n) == 0);
}

/* Appends all replies to the log. Returns the last result. */
static int take(struct replies *r, size_t max, struct buffer **log)
{
    struct frame frame;
    int result;

    while ((result = replies_next(r, &frame)) > 0) {
        CHECK(frame.size <= max);
        append(log, &frame.size, sizeof frame.size);
        append(log, frame.data, frame.size);
        append(log, &frame.crlf, sizeof frame.crlf);
    }
    return result;
}

static struct buffer *read_all(const struct server *s, size_t piece)
{
    struct buffer *log = NULL;
    struct replies replies;
    const uint8_t *rest;
    size_t left;
    int result = 0;

    replies_init(&replies, s->framing, s->max);
    for (size_t at = 0, n; at < s->size && result == 0; at += n) {
        n = MIN(piece, s->size - at);
        CHECK(replies_feed(&replies, s->data + at, n) == 0);
        result = take(&replies, s->max, &log);
        CHECK(buffer_size(replies.in) <= at + n);
    }
    if (result == 0 && (left = replies_rest(&replies, &rest)) > 0)
        append(&log, rest, left);
    CHECK(take(&replies, s->max, &log) == result);
    append(&log, &result, sizeof result);
    replies_deinit(&replies);
    return log;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer *whole, *cut;
    struct server s;

    if (size < 3)
        return 0;
    s = (struct server){
        .framing = (enum framing)(data[0] % 4),
        .max = data[1],
        .data = data + 3,
        .size = size - 3,
    };
    whole = read_all(&s, SIZE_MAX);
    cut = read_all(&s, data[2] + 1U);
    /* A chunk is the data of one read, so the cuts make the replies. */
    if (s.framing != FRAMING_CHUNK) {
        CHECK(buffer_size(whole) == buffer_size(cut));
        CHECK(memcmp(buffer_head(whole), buffer_head(cut), buffer_size(cut)) == 0);
    }
    buffer_free(&whole);
    buffer_free(&cut);
    return 0;
}
