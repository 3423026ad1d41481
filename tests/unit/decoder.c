/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "decoder.h"

/* Upper-case letters, digits and underscores, no digit first. A leading underscore is for fields
 * that journald itself adds. */
static bool is_name(const char *name, size_t n)
{
    if (n == 0 || n > 64 || name[0] == '_' || (name[0] >= '0' && name[0] <= '9'))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", name[i], 37))
            return false;
    return true;
}

static uint64_t little_endian(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/* A line "NAME=value", or a line "NAME" followed by size, bytes and a newline. Returns the number
 * of bytes, or 0 if it is neither. */
static size_t decode_field(const uint8_t *bytes, size_t n, struct decoded_field *ret)
{
    const uint8_t *lf = memchr(bytes, '\n', n), *equals;
    uint64_t size;
    size_t line;

    if (!lf)
        return 0;
    line = (size_t)(lf - bytes);
    equals = memchr(bytes, '=', line);
    ret->name = (const char *)bytes;
    ret->name_size = equals ? (size_t)(equals - bytes) : line;
    if (!is_name(ret->name, ret->name_size))
        return 0;
    if (equals) {
        ret->data = equals + 1;
        ret->size = line - ret->name_size - 1;
        return line + 1;
    }
    n -= line + 1;
    if (n < 8)
        return 0;
    size = little_endian(lf + 1);
    if (size >= n - 8 || lf[9 + size] != '\n')
        return 0;
    ret->data = lf + 9;
    ret->size = size;
    return line + 1 + 8 + size + 1;
}

bool decode(const uint8_t *bytes, size_t n, struct decoded *ret)
{
    ret->n_fields = 0;
    for (size_t at = 0, used; at < n; at += used) {
        if (ret->n_fields == DECODER_FIELDS_MAX)
            return false;
        used = decode_field(bytes + at, n - at, &ret->fields[ret->n_fields++]);
        if (used == 0)
            return false;
    }
    return true;
}

const struct decoded_field *decoded_find(const struct decoded *d, const char *name)
{
    const struct decoded_field *found = NULL;

    for (size_t i = 0; i < d->n_fields; i++) {
        const struct decoded_field *f = &d->fields[i];

        if (f->name_size != strlen(name) || memcmp(f->name, name, f->name_size) != 0)
            continue;
        if (found)
            return NULL;
        found = f;
    }
    return found;
}

bool decoded_is(const struct decoded *d, const char *name, const void *data, size_t size)
{
    const struct decoded_field *f = decoded_find(d, name);

    return f && f->size == size && (size == 0 || memcmp(f->data, data, size) == 0);
}

bool decoded_is_text(const struct decoded *d, const char *name, const char *text)
{
    return decoded_is(d, name, text, strlen(text));
}
