/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/escape.h"
#include "base/macros.h"

static const char ellipsis[] = "…";

#define ELLIPSIS_SIZE (sizeof ellipsis - 1)

/* Like utf8_sequence(), but also returns the character. */
static size_t decode(const uint8_t *text, size_t n, uint32_t *ret)
{
    uint32_t c, lowest;
    size_t size;

    if (n == 0)
        return 0;
    if (text[0] < 0x80) {
        *ret = text[0];
        return 1;
    }
    if (text[0] >= 0xc2 && text[0] < 0xe0)
        size = 2, c = text[0] & 0x1f, lowest = 0x80;
    else if (text[0] >= 0xe0 && text[0] < 0xf0)
        size = 3, c = text[0] & 0x0f, lowest = 0x800;
    else if (text[0] >= 0xf0 && text[0] < 0xf5)
        size = 4, c = text[0] & 0x07, lowest = 0x10000;
    else
        return 0;
    if (n < size)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (text[i] & 0x3f);
    }
    if (c < lowest || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *ret = c;
    return size;
}

size_t utf8_sequence(const uint8_t *text, size_t n)
{
    uint32_t c;

    return decode(text, n, &c);
}

/* C0, DEL, C1 (CSI and the like), and their Unicode relatives: the Bidi_Control characters, which
 * reorder the rest of a line on screen, and the line and paragraph separators. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

bool escape_has_wide_controls(const uint8_t *text, size_t n)
{
    for (size_t i = 0, size; i < n; i += MAX(size, (size_t)1)) {
        uint32_t c = 0;

        size = decode(text + i, n - i, &c);
        if (size > 1 && is_control(c))
            return true;
    }
    return false;
}

static size_t escape_byte(uint8_t byte, char out[static 4])
{
    static const char hex[] = "0123456789abcdef";

    out[0] = '\\';
    switch (byte) {
    case '\n':
        out[1] = 'n';
        return 2;
    case '\r':
        out[1] = 'r';
        return 2;
    case '\t':
        out[1] = 't';
        return 2;
    case '\\':
        out[1] = '\\';
        return 2;
    default:
        out[1] = 'x';
        out[2] = hex[byte >> 4];
        out[3] = hex[byte & 0xf];
        return 4;
    }
}

/* Escapes one character of the input. *ret_used is the number of input bytes it took. */
static size_t escape_one(const uint8_t *text, size_t n, char out[static 4], size_t *ret_used)
{
    uint32_t c;
    size_t size = decode(text, n, &c);

    if (size == 0 || is_control(c) || c == '\\') {
        /* The other bytes of a longer sequence are not characters on their own, so they are escaped
         * next. */
        *ret_used = 1;
        return escape_byte(text[0], out);
    }
    memcpy(out, text, size);
    *ret_used = size;
    return size;
}

/* The number of leading bytes of text[n] that need no escape: usually most of a message. */
static size_t plain_run(const uint8_t *text, size_t n)
{
    size_t i = 0;

    while (i < n && text[i] >= ' ' && text[i] < 0x7f && text[i] != '\\')
        i++;
    return i;
}

size_t escape_text(const uint8_t *text, size_t n, char *out, size_t capacity)
{
    size_t written = plain_run(text, MIN(n, capacity - ELLIPSIS_SIZE));
    size_t mark = written; /* the last position where an ellipsis still fits */

    memcpy(out, text, written);
    for (size_t i = written, used; i < n; i += used) {
        char one[4];
        size_t size = escape_one(text + i, n - i, one, &used);

        if (written + size > capacity) {
            memcpy(out + mark, ellipsis, ELLIPSIS_SIZE);
            return mark + ELLIPSIS_SIZE;
        }
        memcpy(out + written, one, size);
        written += size;
        if (written + ELLIPSIS_SIZE <= capacity)
            mark = written;
    }
    return written;
}
