/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "ask-bench/sources.h"
#include "base/macros.h"

#define CHURN_SOURCES 64

static int parse_one(const char *text, int *ret_family, uint8_t bytes[static 16])
{
    if (inet_pton(AF_INET, text, bytes) == 1)
        *ret_family = AF_INET;
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        *ret_family = AF_INET6;
    else
        return -EINVAL;
    return 0;
}

/* The last 64 bits of an address as a number. */
static uint64_t low_bits(int family, const uint8_t bytes[static 16])
{
    uint64_t wide;
    uint32_t narrow;

    if (family == AF_INET) {
        memcpy(&narrow, bytes, sizeof narrow);
        return be32toh(narrow);
    }
    memcpy(&wide, bytes + 8, sizeof wide);
    return be64toh(wide);
}

static int parse_range(struct sources *s, const char *last, const char **ret_error)
{
    uint8_t bytes[16] = { 0 };
    uint64_t from, to;
    int family;

    if (parse_one(last, &family, bytes) < 0) {
        *ret_error = "the second address is neither IPv4 nor IPv6";
        return -EINVAL;
    }
    if (family != s->family || (family == AF_INET6 && memcmp(bytes, s->first, 8) != 0)) {
        *ret_error = "the two addresses are not in one network";
        return -EINVAL;
    }
    from = low_bits(family, s->first);
    to = low_bits(family, bytes);
    if (to < from) {
        *ret_error = "the second address is below the first";
        return -EINVAL;
    }
    s->count = to - from == UINT64_MAX ? UINT64_MAX : to - from + 1;
    return 0;
}

int sources_parse(const char *text, struct sources *ret, const char **ret_error)
{
    struct sources s = { .count = 1 };
    const char *dash = strchr(text, '-');
    size_t n = dash ? (size_t)(dash - text) : strlen(text);
    char first[INET6_ADDRSTRLEN];

    if (n >= sizeof first) {
        *ret_error = "neither an IPv4 nor an IPv6 address";
        return -EINVAL;
    }
    memcpy(first, text, n);
    first[n] = '\0';
    if (parse_one(first, &s.family, s.first) < 0) {
        *ret_error = "neither an IPv4 nor an IPv6 address";
        return -EINVAL;
    }
    if (dash) {
        int r = parse_range(&s, dash + 1, ret_error);

        if (r < 0)
            return r;
    }
    *ret = s;
    return 0;
}

void sources_choose(struct sources *s, const struct sockaddr_any *target, uint64_t connections,
                    bool churn, uint64_t ports)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&target->sa;
    uint64_t needed = DIV_ROUND_UP(connections, MAX(ports / 2, UINT64_C(1)));

    *s = (struct sources){ .family = AF_UNSPEC, .count = 1 };
    if (churn)
        needed = MAX(needed, (uint64_t)CHURN_SOURCES);
    if (target->sa.sa_family != AF_INET || (be32toh(in->sin_addr.s_addr) >> 24) != 127 ||
        needed <= 1)
        return;
    s->family = AF_INET;
    s->count = needed;
    memcpy(s->first, &(uint32_t){ htobe32(INADDR_LOOPBACK) }, 4);
}

void sources_get(const struct sources *s, uint64_t number, struct sockaddr_any *ret)
{
    uint64_t bits = low_bits(s->family, s->first) + number % s->count;

    memset(ret, 0, sizeof *ret);
    if (s->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&ret->sa;

        in->sin_family = AF_INET;
        in->sin_addr.s_addr = htobe32((uint32_t)bits);
        ret->size = sizeof *in;
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ret->sa;

        in6->sin6_family = AF_INET6;
        bits = htobe64(bits);
        memcpy(in6->sin6_addr.s6_addr, s->first, 8);
        memcpy(in6->sin6_addr.s6_addr + 8, &bits, sizeof bits);
        ret->size = sizeof *in6;
    }
}
