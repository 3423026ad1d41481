/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Input: a reply template up to the first NUL, then a message for it. The rendered reply must equal
 * that of a plain reading of the template, from left to right.
 */

#include "protocol/template.h"
#include "target.h"

static void append(struct buffer **out, const void *bytes, size_t n)
{
    CHECK(buffer_append(out, bytes, n) == 0);
}

/* Expands the start of text. Returns the number of bytes used. */
static size_t replace(const char *text, const struct record *record, struct buffer **out)
{
    const struct {
        const char *what;
        const void *bytes;
        size_t n;
    } all[] = {
        { "{{", "{", 1 },
        { "}}", "}", 1 },
        { "\\n", "\n", 1 },
        { "\\r", "\r", 1 },
        { "\\t", "\t", 1 },
        { "\\\\", "\\", 1 },
        { "{message}", record->data, record->size },
        { "{id}", "id", 2 },
        { "{peer}", "[::1]:8080", 10 },
        { "{listener}", "default", 7 },
        { "{seq}", "18446744073709551615", 20 },
        { "{time}", "2023-11-14T22:13:20.000Z", 24 },
    };
    char hex[3] = "";
    uint8_t byte;

    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (strncmp(text, all[i].what, strlen(all[i].what)) == 0) {
            append(out, all[i].bytes, all[i].n);
            return strlen(all[i].what);
        }
    if (strncmp(text, "\\x", 2) == 0) {
        memcpy(hex, text + 2, 2);
        byte = (uint8_t)strtoul(hex, NULL, 16);
        append(out, &byte, 1);
        return 4;
    }
    append(out, text, 1);
    return 1;
}

static void render(const struct template *t, const char *text, const uint8_t *message, size_t size)
{
    const struct record record = {
        .data = message,
        .size = size,
        .id = "id",
        .peer = "::1",
        .peer_port = "8080",
        .peer_name = "[::1]:8080",
        .listener = "default",
        .connection = 1,
        .seq = UINT64_MAX,
    };
    _cleanup_(buffer_free) struct buffer *out = NULL, *expected = NULL;
    const uint8_t *constant;
    size_t constant_size;

    CHECK(template_render(t, &record, 1700000000000000, &out) == 0);
    while (*text)
        text += replace(text, &record, &expected);
    CHECK(buffer_size(out) == buffer_size(expected));
    CHECK(buffer_size(out) == 0 ||
          memcmp(buffer_head(out), buffer_head(expected), buffer_size(out)) == 0);
    constant = template_constant(t, &constant_size);
    if (constant) {
        CHECK(constant_size == buffer_size(out));
        CHECK(constant_size == 0 || memcmp(constant, buffer_head(out), constant_size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_string(data, size);
    size_t length = strlen(text), offset = SIZE_MAX;
    const char *error = NULL;
    struct template *t = NULL;
    int r;

    r = template_compile(text, &t, &error, &offset);
    if (r < 0) {
        CHECK(r == -EINVAL && !t && error && offset <= length);
        return 0;
    }
    CHECK(t);
    render(t, text, data + MIN(length + 1, size), size - MIN(length + 1, size));
    template_free(t);
    return 0;
}
