/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Input: a number, a size or a time span. A formatted span must parse to the same span. */

#include "base/parse.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_string(data, size);
    char formatted[SPAN_TEXT_MAX];
    uint64_t number = 1, bytes = 1, span = 1, again;
    int r;

    r = parse_u64(text, &number);
    CHECK(r == 0 || ((r == -EINVAL || r == -ERANGE) && number == 1));

    /* Every number is a size. */
    r = parse_size(text, &bytes);
    CHECK(r == 0 || ((r == -EINVAL || r == -ERANGE) && bytes == 1));
    CHECK(number == 1 || (r == 0 && bytes == number));

    r = parse_span(text, &span);
    CHECK(r == 0 || ((r == -EINVAL || r == -ERANGE) && span == 1));
    if (r == 0) {
        CHECK(format_span(span, formatted) == formatted);
        CHECK(parse_span(formatted, &again) == 0 && again == span);
    }
    return 0;
}
