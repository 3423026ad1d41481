/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Input: a reply template up to the first NUL, then a message for it. */

#include "protocol/template.h"
#include "target.h"

static void render(const struct template *t, const uint8_t *message, size_t size)
{
    struct record record = {
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
    _cleanup_(buffer_free) struct buffer *out = NULL;
    const uint8_t *constant;
    size_t constant_size;

    CHECK(template_render(t, &record, 1700000000000000, &out) == 0);
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
    render(t, data + MIN(length + 1, size), size - MIN(length + 1, size));
    template_free(t);
    return 0;
}
