/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/address.h"

/*
 * The local addresses that connections come from, in turn. A port of one of them serves one
 * connection to a server at a time, so that very many connections need several.
 */
struct sources {
    int family;        /* AF_INET, AF_INET6; AF_UNSPEC: the kernel chooses */
    uint8_t first[16]; /* network byte order; AF_INET has four bytes */
    uint64_t count;
};

/* ADDR or ADDR-ADDR, both IPv4 or both IPv6, the second not below the first. 0, or -EINVAL with
 * *ret_error a static text. */
int sources_parse(const char *text, struct sources *ret, const char **ret_error);

/*
 * What a target needs: for one in 127.0.0.0/8, all of which are this machine's own, so many
 * addresses that each needs at most half of its `ports` (the kernel finds a free one slowly when
 * there are few); else the kernel's choice.
 *
 * churn: ports stay in use for a while after their connection ended, so there are many more.
 */
void sources_choose(struct sources *s, const struct sockaddr_any *target, uint64_t connections,
                    bool churn, uint64_t ports);

/* The address of number `number % count`, port 0. Not for AF_UNSPEC. */
void sources_get(const struct sources *s, uint64_t number, struct sockaddr_any *ret);
