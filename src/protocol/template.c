/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/format.h"
#include "base/macros.h"
#include "protocol/template.h"

enum field {
    FIELD_MESSAGE,
    FIELD_ID,
    FIELD_PEER,
    FIELD_LISTENER,
    FIELD_SEQ,
    FIELD_TIME,
    FIELD_IDENTITY,
    FIELD_NONE
};

static const char *const field_names[] = {
    [FIELD_MESSAGE] = "message",   [FIELD_ID] = "id",   [FIELD_PEER] = "peer",
    [FIELD_LISTENER] = "listener", [FIELD_SEQ] = "seq", [FIELD_TIME] = "time",
    [FIELD_IDENTITY] = "identity",
};

/* Literal bytes, then a field. */
struct part {
    size_t literal_end; /* in literals[]; it starts where the previous part ends */
    enum field field;
};

struct template
{
    struct part *parts;
    size_t n_parts;
    bool uses_peer;
    size_t n_literals;
    uint8_t literals[]; /* of all parts; never longer than the source text */
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* text: what follows the backslash. Returns the number of characters used, or 0. */
static size_t unescape(const char *text, uint8_t *ret)
{
    int high, low;

    switch (text[0]) {
    case 'n':
        *ret = '\n';
        return 1;
    case 'r':
        *ret = '\r';
        return 1;
    case 't':
        *ret = '\t';
        return 1;
    case '\\':
        *ret = '\\';
        return 1;
    case 'x':
        high = hex_digit(text[1]);
        low = high < 0 ? -1 : hex_digit(text[2]);
        if (low < 0)
            return 0;
        *ret = (uint8_t)(high << 4 | low);
        return 3;
    default:
        return 0;
    }
}

/* text: what follows the opening brace. Returns the number of characters used, including the
 * closing brace, or 0. */
static size_t field_parse(const char *text, enum field *ret)
{
    const char *end = strchr(text, '}');

    for (size_t i = 0; end && i < ARRAY_SIZE(field_names); i++)
        if (strlen(field_names[i]) == (size_t)(end - text) &&
            memcmp(field_names[i], text, (size_t)(end - text)) == 0) {
            *ret = (enum field)i;
            return (size_t)(end - text) + 1;
        }
    return 0;
}

static int add_part(struct template *t, enum field field)
{
    struct part *parts = reallocarray(t->parts, t->n_parts + 1, sizeof *parts);

    if (!parts)
        return -ENOMEM;
    t->parts = parts;
    t->parts[t->n_parts++] = (struct part){ .literal_end = t->n_literals, .field = field };
    t->uses_peer |= field == FIELD_PEER;
    return 0;
}

/* Compiles the part that begins at text. Returns the number of characters used, -EINVAL with
 * *ret_error, or -ENOMEM. */
static ssize_t compile_one(struct template *t, const char *text, const char **ret_error)
{
    uint8_t byte = (uint8_t)text[0];
    enum field field;
    size_t n;
    int r;

    if (text[0] == '\\') {
        n = unescape(text + 1, &byte);
        if (n == 0) {
            *ret_error = "unknown escape; use \\n \\r \\t \\\\ or \\xHH";
            return -EINVAL;
        }
        t->literals[t->n_literals++] = byte;
        return (ssize_t)n + 1;
    }
    if ((text[0] == '{' || text[0] == '}') && text[1] == text[0]) {
        t->literals[t->n_literals++] = byte;
        return 2;
    }
    if (text[0] == '}') {
        *ret_error = "unmatched }; write }} for a brace";
        return -EINVAL;
    }
    if (text[0] == '{') {
        n = field_parse(text + 1, &field);
        if (n == 0) {
            *ret_error = "unknown field; use {message} {id} {peer} {identity} {listener} {seq} "
                         "{time}, or {{ for a brace";
            return -EINVAL;
        }
        r = add_part(t, field);
        return r < 0 ? r : (ssize_t)n + 1;
    }
    t->literals[t->n_literals++] = byte;
    return 1;
}

int template_compile(const char *text, struct template **ret, const char **ret_error,
                     size_t *ret_offset)
{
    struct template *t = calloc(1, sizeof *t + strlen(text));
    const char *error = NULL;
    size_t offset = 0;
    ssize_t r = 0;

    if (!t)
        return -ENOMEM;
    for (; text[offset] && r >= 0; offset += r > 0 ? (size_t)r : 0)
        r = compile_one(t, text + offset, &error);
    if (r >= 0)
        r = add_part(t, FIELD_NONE);
    if (r < 0) {
        template_free(t);
        if (r == -EINVAL) {
            *ret_error = error;
            *ret_offset = offset;
        }
        return (int)r;
    }
    *ret = t;
    return 0;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    free(t->parts);
    free(t);
}

const uint8_t *template_constant(const struct template *t, size_t *ret_size)
{
    if (t->n_parts > 1)
        return NULL;
    *ret_size = t->n_literals;
    return t->literals;
}

bool template_uses_peer(const struct template *t)
{
    return t->uses_peer;
}

static int append_text(struct buffer **out, const char *text)
{
    return buffer_append(out, text, strlen(text));
}

static int append_u64(struct buffer **out, uint64_t value)
{
    char text[FORMAT_U64_MAX];
    size_t n = format_u64(value, text);

    return buffer_append(out, text, n);
}

/* RFC 3339, UTC, with milliseconds. */
static int append_time(struct buffer **out, uint64_t real_us)
{
    time_t seconds = (time_t)(real_us / 1000000);
    char text[48];
    struct tm tm;
    size_t n;

    /* Fails if the year does not fit an int, but 2^64 µs end in the year 586524. */
    (void)gmtime_r(&seconds, &tm);
    n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(text + n, sizeof text - n, ".%03uZ", (unsigned)(real_us / 1000 % 1000));
    return buffer_append(out, text, n);
}

static int append_field(struct buffer **out, enum field field, const struct record *message,
                        uint64_t real_us)
{
    switch (field) {
    case FIELD_MESSAGE:
        return buffer_append(out, message->data, message->size);
    case FIELD_ID:
        return append_text(out, message->id);
    case FIELD_PEER:
        return append_text(out, message->peer_name);
    case FIELD_LISTENER:
        return append_text(out, message->listener);
    case FIELD_SEQ:
        return append_u64(out, message->seq);
    case FIELD_TIME:
        return append_time(out, real_us);
    case FIELD_IDENTITY:
        return message->origin ? append_text(out, message->origin->identity) : 0;
    case FIELD_NONE:
        break;
    }
    return 0;
}

int template_render(const struct template *t, const struct record *message, uint64_t real_us,
                    struct buffer **out)
{
    size_t start = 0;
    int r;

    for (size_t i = 0; i < t->n_parts; i++) {
        const struct part *part = &t->parts[i];

        r = buffer_append(out, t->literals + start, part->literal_end - start);
        if (r < 0)
            return r;
        start = part->literal_end;
        r = append_field(out, part->field, message, real_us);
        if (r < 0)
            return r;
    }
    return 0;
}
