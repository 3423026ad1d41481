/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ask/render-json.h"
#include "ask/render.h"
#include "base/escape.h"
#include "base/macros.h"

#define HEX_COLUMNS 16

/* The most bytes that escape_text() makes of one byte. */
#define ESCAPED_MAX 4

static int append_escaped(const uint8_t *text, size_t n, struct buffer **out)
{
    size_t room;
    int r;

    if (__builtin_mul_overflow(n, ESCAPED_MAX, &room) || __builtin_add_overflow(room, 4, &room))
        return -ENOMEM;
    r = buffer_reserve(out, room);
    if (r < 0)
        return r;
    buffer_commit(*out, escape_text(text, n, (char *)buffer_tail(*out), room - 1));
    return buffer_append(out, "\n", 1);
}

/* One read may return several lines. They are shown as lines. */
static int append_escaped_lines(const uint8_t *text, size_t n, struct buffer **out)
{
    do {
        const uint8_t *lf = memchr(text, '\n', n);
        size_t line = lf ? (size_t)(lf - text) : n, used = lf ? line + 1 : n;
        int r;

        if (lf && line > 0 && text[line - 1] == '\r')
            line--;
        r = append_escaped(text, line, out);
        if (r < 0)
            return r;
        text += used;
        n -= used;
    } while (n > 0);
    return 0;
}

static int append_text(const struct render *how, const struct answer *a, struct buffer **out)
{
    int r;

    if (how->terminal)
        return how->framing == FRAMING_CHUNK ? append_escaped_lines(a->reply, a->size, out)
                                             : append_escaped(a->reply, a->size, out);
    r = buffer_append(out, a->reply, a->size);
    if (r < 0)
        return r;
    /* A chunk may include the newline that ended it. */
    if (how->framing == FRAMING_CHUNK && a->size > 0 && a->reply[a->size - 1] == '\n')
        return 0;
    return buffer_append(out, "\n", 1);
}

static int append_hex_line(const uint8_t *bytes, size_t n, size_t offset, struct buffer **out)
{
    char line[128];
    size_t at = (size_t)snprintf(line, sizeof line, "%08zx ", offset);

    for (size_t i = 0; i < HEX_COLUMNS; i++) {
        const char *gap = i % 8 == 0 ? " " : "";

        if (i < n)
            at += (size_t)snprintf(line + at, sizeof line - at, "%s%02x ", gap, bytes[i]);
        else
            at += (size_t)snprintf(line + at, sizeof line - at, "%s   ", gap);
    }
    line[at++] = ' ';
    line[at++] = '|';
    for (size_t i = 0; i < n; i++)
        line[at++] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
    line[at++] = '|';
    line[at++] = '\n';
    return buffer_append(out, line, at);
}

/* Like hexdump -C: the last line has only the size, so an empty reply is visible, too. */
static int append_hex(const struct answer *a, struct buffer **out)
{
    char line[32];
    int n, r;

    for (size_t i = 0; i < a->size; i += HEX_COLUMNS) {
        r = append_hex_line(a->reply + i, MIN(a->size - i, (size_t)HEX_COLUMNS), i, out);
        if (r < 0)
            return r;
    }
    n = snprintf(line, sizeof line, "%08zx\n", a->size);
    return buffer_append(out, line, (size_t)n);
}

/* On a terminal the object is ASCII, and JSON escapes the rest. */
static bool needs_ascii(const struct render *how, const struct answer *a)
{
    return how->terminal && (escape_has_wide_controls(a->reply, a->size) ||
                             escape_has_wide_controls(a->message, a->message_size));
}

int render_reply(const struct render *how, const struct answer *a, struct buffer **out)
{
    size_t before = buffer_size(*out);
    int r = 0;

    switch (how->form) {
    case FORM_TEXT:
        r = append_text(how, a, out);
        break;
    case FORM_JSON:
        r = render_json(a, needs_ascii(how, a), out);
        break;
    case FORM_HEX:
        r = append_hex(a, out);
        break;
    }
    if (r < 0)
        buffer_truncate(*out, before);
    return r;
}
