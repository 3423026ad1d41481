/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "protocol/frame.h"

#define LENGTH_HEADER  4
#define NETSTRING_HEAD 21 /* 20 digits of 2^64 and a colon */

static const char *const names[] = {
    [FRAMING_LINE] = "line",
    [FRAMING_LENGTH] = "length",
    [FRAMING_NETSTRING] = "netstring",
    [FRAMING_CHUNK] = "chunk",
};

int framing_parse(const char *name, enum framing *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum framing)i;
            return 0;
        }
    return -EINVAL;
}

const char *framing_name(enum framing framing)
{
    return names[framing];
}

const char *frame_error_text(enum frame_error error)
{
    switch (error) {
    case FRAME_TOO_LONG:
        return "message too long";
    case FRAME_MALFORMED:
        return "malformed message";
    case FRAME_TRUNCATED:
        return "the stream ended inside a message";
    case FRAME_PROXY:
        return "a PROXY header is not expected here";
    case FRAME_TLS:
        return "TLS is not spoken here";
    case FRAME_HTTP:
        return "HTTP is not spoken here";
    }
    return "unknown";
}

static ssize_t line_next(size_t max, const uint8_t *in, size_t n, bool eof, size_t *scanned,
                         struct frame *ret)
{
    const uint8_t *lf = n > *scanned ? memchr(in + *scanned, '\n', n - *scanned) : NULL;
    size_t size = lf ? (size_t)(lf - in) : n;
    bool crlf = lf && size > 0 && in[size - 1] == '\r';

    if (!lf && !eof) {
        /* The byte after max may still be the CR of the line end. */
        if (n > max && !(n == max + 1 && in[max] == '\r'))
            return -FRAME_TOO_LONG;
        *scanned = n;
        return 0;
    }
    if (!lf && n == 0)
        return 0;
    if (size - crlf > max)
        return -FRAME_TOO_LONG;
    *ret = (struct frame){ .data = in, .size = size - crlf, .crlf = crlf, .unfinished = !lf };
    return (ssize_t)(size + (lf ? 1 : 0));
}

static ssize_t length_next(size_t max, const uint8_t *in, size_t n, bool eof, struct frame *ret)
{
    uint32_t size;

    if (n < LENGTH_HEADER)
        return eof && n > 0 ? -FRAME_TRUNCATED : 0;
    memcpy(&size, in, sizeof size);
    size = be32toh(size);
    if (size > max)
        return -FRAME_TOO_LONG;
    if (n - LENGTH_HEADER < size)
        return eof ? -FRAME_TRUNCATED : 0;
    *ret = (struct frame){ .data = in + LENGTH_HEADER, .size = size };
    return LENGTH_HEADER + (ssize_t)size;
}

static ssize_t netstring_next(size_t max, const uint8_t *in, size_t n, bool eof, struct frame *ret)
{
    uint64_t size = 0;
    size_t i;

    for (i = 0; i < n && isdigit(in[i]); i++) {
        if (i == 1 && in[0] == '0')
            return -FRAME_MALFORMED;
        if (__builtin_mul_overflow(size, 10, &size) ||
            __builtin_add_overflow(size, (uint64_t)(in[i] - '0'), &size) || size > max)
            return -FRAME_TOO_LONG;
    }
    if (i == n)
        return eof && n > 0 ? -FRAME_TRUNCATED : 0;
    if (i == 0 || in[i] != ':')
        return -FRAME_MALFORMED;
    i++;
    if (n - i <= size)
        return eof ? -FRAME_TRUNCATED : 0;
    if (in[i + size] != ',')
        return -FRAME_MALFORMED;
    *ret = (struct frame){ .data = in + i, .size = size };
    return (ssize_t)(i + size + 1);
}

static ssize_t chunk_next(size_t max, const uint8_t *in, size_t n, struct frame *ret)
{
    if (n > max)
        return -FRAME_TOO_LONG;
    *ret = (struct frame){ .data = in, .size = n };
    return (ssize_t)n;
}

ssize_t frame_next(enum framing framing, size_t max, const uint8_t *in, size_t n, bool eof,
                   size_t *scanned, struct frame *ret)
{
    switch (framing) {
    case FRAMING_LINE:
        return line_next(max, in, n, eof, scanned, ret);
    case FRAMING_LENGTH:
        return length_next(max, in, n, eof, ret);
    case FRAMING_NETSTRING:
        return netstring_next(max, in, n, eof, ret);
    case FRAMING_CHUNK:
        return chunk_next(max, in, n, ret);
    }
    return -FRAME_MALFORMED;
}

size_t frame_size_max(enum framing framing, size_t max)
{
    switch (framing) {
    case FRAMING_LINE:
        return max + 2;
    case FRAMING_LENGTH:
        return max + LENGTH_HEADER;
    case FRAMING_NETSTRING:
        return max + NETSTRING_HEAD + 1;
    case FRAMING_CHUNK:
        break;
    }
    return max;
}

ssize_t frame_begin(enum framing framing, struct buffer **out)
{
    size_t start = buffer_size(*out);
    int r;

    if (framing == FRAMING_LENGTH) {
        r = buffer_append(out, (const uint8_t[LENGTH_HEADER]){ 0 }, LENGTH_HEADER);
        if (r < 0)
            return r;
    }
    return (ssize_t)start;
}

/* The length is known only now, so the payload moves to make room for it. */
static int netstring_end(struct buffer **out, size_t start)
{
    size_t size = buffer_size(*out) - start, digits;
    char head[NETSTRING_HEAD + 1];
    uint8_t *frame;
    int r;

    digits = (size_t)snprintf(head, sizeof head, "%zu:", size);
    r = buffer_reserve(out, digits + 1);
    if (r < 0)
        return r;
    frame = buffer_head(*out) + start;
    memmove(frame + digits, frame, size);
    memcpy(frame, head, digits);
    frame[digits + size] = ',';
    buffer_commit(*out, digits + 1);
    return 0;
}

static int length_end(struct buffer *out, size_t start)
{
    size_t size = buffer_size(out) - start - LENGTH_HEADER;
    uint32_t header = htobe32((uint32_t)size);

    if (size > UINT32_MAX)
        return -EMSGSIZE;
    memcpy(buffer_head(out) + start, &header, sizeof header);
    return 0;
}

int frame_end(enum framing framing, struct buffer **out, size_t start, bool crlf)
{
    int r = 0;

    switch (framing) {
    case FRAMING_LINE:
        r = buffer_append(out, crlf ? "\r\n" : "\n", crlf ? 2 : 1);
        break;
    case FRAMING_LENGTH:
        r = length_end(*out, start);
        break;
    case FRAMING_NETSTRING:
        r = netstring_end(out, start);
        break;
    case FRAMING_CHUNK:
        break;
    }
    if (r < 0)
        buffer_truncate(*out, start);
    return r;
}

int frame_append(enum framing framing, struct buffer **out, const void *data, size_t size,
                 bool crlf)
{
    ssize_t start = frame_begin(framing, out);
    int r;

    if (start < 0)
        return (int)start;
    r = buffer_append(out, data, size);
    if (r < 0) {
        buffer_truncate(*out, (size_t)start);
        return r;
    }
    return frame_end(framing, out, (size_t)start, crlf);
}
