/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Input: an address as a person may write it. */

#include "net/address.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = fuzz_string(data, size);
    struct address address = { .family = -1 };
    char formatted[ADDRESS_TEXT_MAX];
    const char *error = NULL;
    int r;

    r = address_parse(text, &address, &error);
    if (r < 0) {
        CHECK(r == -EINVAL && error && address.family == -1);
        return 0;
    }
    CHECK(address.family == AF_UNIX || address.family == AF_UNSPEC);
    CHECK(memchr(address.host, '\0', sizeof address.host));
    CHECK(memchr(address.port, '\0', sizeof address.port));
    if (address.family != AF_UNIX)
        return 0;
    CHECK(address.un.sun_family == AF_UNIX && address.un_size <= sizeof address.un);
    CHECK(address_format((struct sockaddr *)&address.un, address.un_size, formatted) == formatted);
    CHECK(memchr(formatted, '\0', sizeof formatted));
    return 0;
}
