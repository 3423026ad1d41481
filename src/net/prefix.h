/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/peer.h"

/*
 * Lists of networks: "10.0.0.0/8 192.0.2.7 2001:db8::/32 unix".
 */

struct prefix {
    uint8_t address[16]; /* as in struct peer; the bits behind the prefix are 0 */
    uint8_t bits;        /* 0 to 128: IPv4 prefixes are 96 bits longer than written */
    bool is_unix;        /* every peer on a UNIX socket, and no other */
};

struct prefix_list {
    size_t n;
    struct prefix items[];
};

/* Parses addresses separated by spaces, each with /BITS or alone, or the word unix. 0 and a list to
 * be freed with free(); -EINVAL; or -ENOMEM. */
int prefix_list_parse(const char *text, struct prefix_list **ret);

/* Whether one of the list's prefixes has the peer. list: NULL is an empty one. */
bool prefix_list_has(const struct prefix_list *list, const struct peer *peer);
