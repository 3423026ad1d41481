/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/address.h"

/*
 * The local addresses of connections, used in turn. One port of an address serves only one
 * connection to a server at a time, so very many connections need several addresses.
 */
struct sources {
    int family;        /* AF_INET or AF_INET6; AF_UNSPEC: the kernel chooses */
    uint8_t first[16]; /* network byte order; four bytes for AF_INET */
    uint64_t count;
};

/* Parses ADDR or ADDR-ADDR: both IPv4 or both IPv6, the second not below the first. 0, or -EINVAL
 * and *ret_error, a static text. */
int sources_parse(const char *text, struct sources *ret, const char **ret_error);

/*
 * The sources for a target. In 127.0.0.0/8 all addresses belong to this machine: takes so many that
 * each needs at most half of its `ports`, since the kernel is slow to find one of few free ports.
 * For other targets the kernel chooses.
 *
 * churn: a port stays in use for a while after its connection has ended, so more addresses are
 * needed.
 */
void sources_choose(struct sources *s, const struct sockaddr_any *target, uint64_t connections,
                    bool churn, uint64_t ports);

/* Address `number % count`, port 0. Not for AF_UNSPEC. */
void sources_get(const struct sources *s, uint64_t number, struct sockaddr_any *ret);
