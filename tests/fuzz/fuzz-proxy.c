/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Input: a byte for the versions, and the stream. With each more byte, the header stays incomplete
 * until it is complete or wrong, and then nothing behind it matters.
 */

#include "protocol/proxy-header.h"
#include "target.h"

#define VERSIONS (PROXY_V1 | PROXY_V2)

/* Parses the first n bytes, in memory of their own. */
static ssize_t parse(const uint8_t *data, size_t n, unsigned versions)
{
    _cleanup_free_ uint8_t *in = malloc(n > 0 ? n : 1);
    struct proxy_header header;
    const char *error = NULL;
    ssize_t r;

    CHECK(in);
    if (n > 0)
        memcpy(in, data, n);
    r = proxy_header_parse(in, n, versions, &header, &error);
    CHECK(r <= (ssize_t)n && r <= PROXY_HEADER_MAX);
    CHECK((r < 0) == (error != NULL));
    if (r <= 0)
        return r;
    CHECK(header.name_size <= PROXY_NAME_MAX && header.unique_id_size <= PROXY_UNIQUE_ID_MAX);
    CHECK(!header.name || (header.name > in && header.name + header.name_size <= in + r));
    CHECK(!header.unique_id ||
          (header.unique_id > in && header.unique_id + header.unique_id_size <= in + r));
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned versions;
    ssize_t r = 0, whole;

    if (size == 0)
        return 0;
    versions = *data++ & VERSIONS;
    size--;
    whole = parse(data, size, versions);
    for (size_t n = 0; n <= size && r == 0; n++) {
        r = parse(data, n, versions);
        CHECK(r <= 0 || r == (ssize_t)n);
    }
    CHECK(r == whole);
    CHECK(whole != 0 || size < PROXY_HEADER_MAX);
    return 0;
}
