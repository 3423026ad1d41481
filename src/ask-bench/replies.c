/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "ask-bench/replies.h"

static const char refusal[] = "error: ";

static bool is_echo(const struct message *m, uint32_t number, const struct frame *frame)
{
    return frame->size == m->size && memcmp(frame->data, message_payload(m, number), m->size) == 0;
}

/* REG_STARTEND gives the length (regcomp(3)). The reply gets a NUL meanwhile, because
 * AddressSanitizer's regexec() measures the string first. */
static bool is_expected(const struct options *o, uint8_t *reply, size_t size)
{
    regmatch_t range = { 0, (regoff_t)size };
    uint8_t behind = reply[size];
    bool matches;

    reply[size] = '\0';
    matches = regexec(&o->expect, (const char *)reply, 1, &range, REG_STARTEND) == 0;
    reply[size] = behind;
    return matches;
}

static bool mismatches(const struct options *o, const struct message *m, uint32_t number,
                       const struct frame *frame, uint8_t *bytes)
{
    uint8_t *reply = bytes + (frame->data - bytes);

    return (o->verify_echo && !is_echo(m, number, frame)) ||
           (o->expect_text && !is_expected(o, reply, frame->size));
}

static int keep(struct buffer **partial, const uint8_t *bytes, size_t n, size_t scanned)
{
    int r;

    if (n == 0) {
        buffer_free(partial);
        return 0;
    }
    buffer_clear(*partial);
    r = buffer_append(partial, bytes, n);
    if (r < 0)
        return r;
    (*partial)->scanned = scanned;
    return 0;
}

int replies_parse(const struct options *o, const struct message *m, uint8_t *bytes, size_t n,
                  bool eof, uint32_t awaited, uint32_t first, struct buffer **partial,
                  struct replies *ret)
{
    size_t at = 0, scanned = *partial ? (*partial)->scanned : 0;
    bool bare = o->framing == FRAMING_CHUNK;
    uint32_t number = first;

    /* Nothing marks the end of a bare reply. An echo is as long as its message. */
    bool wait = bare && o->verify_echo && n < m->size && !eof;

    *ret = (struct replies){ 0 };
    while (at < n && !wait) {
        struct frame frame;
        /* The end of the stream ends a bare reply only; it cuts off any other. */
        ssize_t size =
            frame_next(o->framing, REPLY_MAX, bytes + at, n - at, eof && bare, &scanned, &frame);

        if (size < 0 || (size == 0 && eof)) {
            ret->mismatched += ret->last_mismatched;
            ret->refusal = ret->last_mismatched = false;
            return -EPROTO;
        }
        if (size == 0)
            break;
        ret->mismatched += ret->last_mismatched;
        ret->last_mismatched = ret->count < awaited && mismatches(o, m, number, &frame, bytes);
        ret->refusal = frame.size >= sizeof refusal - 1 &&
                       memcmp(frame.data, refusal, sizeof refusal - 1) == 0;
        number = number + 1 == m->cycle ? 0 : number + 1;
        at += (size_t)size;
        scanned = 0;
        ret->count++;
    }
    if (!ret->refusal) {
        ret->mismatched += ret->last_mismatched;
        ret->last_mismatched = false;
    }
    return keep(partial, bytes + at, n - at, scanned);
}
