/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"

/*
 * Framing: where one message ends and the next begins in a stream of bytes.
 *
 *   line       bytes up to LF; a CR before it is not part of the message; at the end of the stream
 *              the remaining bytes are a message
 *   length     4 bytes, big-endian, then that many bytes
 *   netstring  LEN:BYTES, with LEN in decimal without leading zeros
 *   chunk      the bytes of one read
 */
enum framing { FRAMING_LINE, FRAMING_LENGTH, FRAMING_NETSTRING, FRAMING_CHUNK };

/* 0 or -EINVAL. */
int framing_parse(const char *name, enum framing *ret);
const char *framing_name(enum framing framing);

/* A message within the parsed bytes, borrowed from them. */
struct frame {
    const uint8_t *data;
    size_t size;
    bool crlf;       /* line: it ended in CR LF, and so must its reply */
    bool unfinished; /* line: the stream ended before its LF */
};

/* Why bytes are not a frame. */
enum frame_error {
    FRAME_TOO_LONG = 1, /* the message is longer than max */
    FRAME_MALFORMED,    /* netstring: no digit, a leading zero, or no comma after the bytes */
    FRAME_TRUNCATED,    /* length, netstring: the stream ended inside a message */
    FRAME_PROXY,        /* the stream begins with another protocol: see opening.h */
    FRAME_TLS,
    FRAME_HTTP,
};

/* For display: "message too long" and so on. */
const char *frame_error_text(enum frame_error error);

/*
 * Finds the next frame at the start of in[n].
 *
 * max: the longest allowed message, in bytes. eof: no more bytes will follow. *scanned: how many of
 * these bytes an earlier call has already searched. The caller keeps it with the unfinished frame;
 * 0 for a new one.
 *
 * Returns the number of input bytes the frame occupies, with the frame in *ret; 0 if more bytes are
 * needed (or, at eof, if nothing is left); or -enum frame_error. If the framing gives the length in
 * advance, a frame that is too long is found from its first bytes. In any case it is found within
 * max + 2 bytes.
 */
ssize_t frame_next(enum framing framing, size_t max, const uint8_t *in, size_t n, bool eof,
                   size_t *scanned, struct frame *ret);

/* How many bytes frame_next() may need to see at once for a message of max bytes. */
size_t frame_size_max(enum framing framing, size_t max);

/*
 * Sending: frame_begin(), any number of buffer_append()s, frame_end(). `start` is what
 * frame_begin() returned. frame_end() leaves the frame at the end of *out, which may hold other
 * bytes before it. Both return 0 or more, -ENOMEM, or -EMSGSIZE if the length does not fit in 4
 * bytes. After a failure *out holds what it held before frame_begin().
 */
ssize_t frame_begin(enum framing framing, struct buffer **out);
int frame_end(enum framing framing, struct buffer **out, size_t start, bool crlf);

/* All three in one. 0 or a failure as above. */
int frame_append(enum framing framing, struct buffer **out, const void *data, size_t size,
                 bool crlf);
