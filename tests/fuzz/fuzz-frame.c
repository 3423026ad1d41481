/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Input: a byte for the framing, one for the longest message, two for the cuts, and the stream.
 * However it is cut, the frames and the error must be the same. The parser may only look at its
 * input, and must not want more than it declares.
 */

#include "protocol/frame.h"
#include "target.h"

struct stream {
    enum framing framing;
    size_t max;
    const uint8_t *data;
    size_t size;
};

/* All results in one number: sizes, bytes and endings of frames, and the last result. */
static void mix(uint64_t *digest, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;

    /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        *digest = (*digest ^ at[i]) * 0x100000001b3;
}

/* One call, with the input in its own memory. */
static ssize_t next(const struct stream *s, size_t start, size_t end, size_t *scanned,
                    uint64_t *digest)
{
    size_t n = end - start;
    _cleanup_free_ uint8_t *in = malloc(n > 0 ? n : 1);
    struct frame frame;
    ssize_t r;

    CHECK(in);
    if (n > 0)
        memcpy(in, s->data + start, n);
    r = frame_next(s->framing, s->max, in, n, end == s->size, scanned, &frame);
    if (r > 0) {
        CHECK((size_t)r <= n);
        CHECK(frame.size <= s->max);
        CHECK(frame.data >= in && frame.data + frame.size <= in + r);
        mix(digest, &frame.size, sizeof frame.size);
        mix(digest, frame.data, frame.size);
        mix(digest, &frame.crlf, sizeof frame.crlf);
    } else if (r == 0 && end == s->size)
        CHECK(n == 0);
    else if (r == 0)
        CHECK(n == 0 || n < frame_size_max(s->framing, s->max));
    return r;
}

/* Feeds the stream in pieces of up to `piece` bytes, with sizes from the seed. */
static uint64_t parse(const struct stream *s, size_t piece, uint32_t seed)
{
    size_t start = 0, end = 0, scanned = 0;
    uint64_t digest = 0xcbf29ce484222325;
    ssize_t r;

    for (;;) {
        r = next(s, start, end, &scanned, &digest);
        if (r > 0) {
            start += (size_t)r;
            scanned = 0;
        } else if (r == 0 && end < s->size) {
            seed = seed * 1664525 + 1013904223;
            end += MIN(1 + (seed >> 16) % piece, s->size - end);
        } else
            break;
    }
    mix(&digest, &r, sizeof r);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream s;
    uint64_t whole;

    if (size < 4)
        return 0;
    s = (struct stream){
        .framing = data[0] % 4,
        .max = data[1],
        .data = data + 4,
        .size = MIN(size - 4, (size_t)4096),
    };
    /* A chunk is the data of one read, so the cuts make the frames. */
    if (s.framing == FRAMING_CHUNK) {
        (void)parse(&s, data[2] + 1U, data[3]);
        return 0;
    }
    whole = parse(&s, SIZE_MAX, 0);
    CHECK(parse(&s, 1, 0) == whole);
    CHECK(parse(&s, data[2] + 1U, data[3]) == whole);
    return 0;
}
