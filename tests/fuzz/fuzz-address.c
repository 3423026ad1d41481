/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Input: an address as a user may write it. Its formatted form must parse to the same address. */

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/address.h"
#include "target.h"

/* A numeric host and port: the formatted form is a host and port, too. */
static void check_number(const struct address *a)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    struct sockaddr_in in = { .sin_family = AF_INET };
    char formatted[ADDRESS_TEXT_MAX], again[ADDRESS_TEXT_MAX];
    struct address parsed;
    const char *error;
    struct sockaddr *sa;
    socklen_t size;

    if (strspn(a->port, "0123456789") < strlen(a->port))
        return;
    CHECK(atol(a->port) <= 65535);
    in.sin_port = in6.sin6_port = htons((uint16_t)atoi(a->port));
    if (inet_pton(AF_INET, a->host, &in.sin_addr) == 1) {
        sa = (struct sockaddr *)&in;
        size = sizeof in;
    } else if (inet_pton(AF_INET6, a->host, &in6.sin6_addr) == 1) {
        sa = (struct sockaddr *)&in6;
        size = sizeof in6;
    } else {
        return;
    }
    address_format(sa, size, formatted);
    CHECK(address_parse(formatted, &parsed, &error) == 0);
    CHECK(atoi(parsed.port) == atoi(a->port));
    if (inet_pton(AF_INET, parsed.host, &in.sin_addr) == 1)
        address_format((struct sockaddr *)&in, sizeof in, again);
    else if (inet_pton(AF_INET6, parsed.host, &in6.sin6_addr) == 1)
        address_format((struct sockaddr *)&in6, sizeof in6, again);
    else
        CHECK(false);
    CHECK(strcmp(formatted, again) == 0);
}

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
    if (address.family != AF_UNIX) {
        check_number(&address);
        return 0;
    }
    CHECK(address.un.sun_family == AF_UNIX && address.un_size <= sizeof address.un);
    CHECK(address_format((struct sockaddr *)&address.un, address.un_size, formatted) == formatted);
    CHECK(strcmp(formatted, strncmp(text, "unix:", 5) == 0 ? text + 5 : text) == 0);
    return 0;
}
