/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/parse.h"
#include "net/prefix.h"

#define SPACES    " \t"
#define IPV4_BITS 96 /* an IPv4 address is ::ffff:a.b.c.d */
#define ITEM_MAX  (INET6_ADDRSTRLEN + sizeof "/128")

/* The address, and how many of its bits a prefix may have at most. */
static int parse_address(const char *text, struct prefix *p, uint64_t *ret_max)
{
    *p = (struct prefix){ .address = { [10] = 0xff, [11] = 0xff } };
    *ret_max = 32;
    if (inet_pton(AF_INET, text, p->address + 12) == 1)
        return 0;
    *ret_max = 128;
    return inet_pton(AF_INET6, text, p->address) == 1 ? 0 : -EINVAL;
}

static bool equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* A prefix with other bits is a mistake: 10.0.0.1/8 may mean 10.0.0.1, or 10.0.0.0/8. */
static bool rest_is_zero(const struct prefix *p)
{
    for (unsigned bit = p->bits; bit < 128; bit++)
        if (p->address[bit / 8] >> (7 - bit % 8) & 1)
            return false;
    return true;
}

static int parse_one(char *text, struct prefix *ret)
{
    char *slash = strchr(text, '/');
    uint64_t bits, max;

    if (strcmp(text, "unix") == 0) {
        *ret = (struct prefix){ .is_unix = true };
        return 0;
    }
    if (slash)
        *slash = '\0';
    if (parse_address(text, ret, &max) < 0)
        return -EINVAL;
    bits = max;
    if (slash && (parse_u64(slash + 1, &bits) < 0 || bits > max))
        return -EINVAL;
    ret->bits = (uint8_t)(max == 32 ? bits + IPV4_BITS : bits);
    return rest_is_zero(ret) ? 0 : -EINVAL;
}

static size_t count(const char *text)
{
    size_t n = 0;

    for (text += strspn(text, SPACES); *text; text += strspn(text, SPACES)) {
        text += strcspn(text, SPACES);
        n++;
    }
    return n;
}

int prefix_list_parse(const char *text, struct prefix_list **ret)
{
    size_t n = count(text);
    _cleanup_free_ struct prefix_list *list = malloc(sizeof *list + n * sizeof list->items[0]);

    if (!list)
        return -ENOMEM;
    list->n = 0;
    for (text += strspn(text, SPACES); list->n < n; text += strspn(text, SPACES)) {
        size_t size = strcspn(text, SPACES);
        char item[ITEM_MAX];

        if (size >= sizeof item)
            return -EINVAL;
        memcpy(item, text, size);
        item[size] = '\0';
        if (parse_one(item, &list->items[list->n++]) < 0)
            return -EINVAL;
        text += size;
    }
    if (n == 0)
        return -EINVAL;
    *ret = STEAL_PTR(list);
    return 0;
}

bool prefix_list_has(const struct prefix_list *list, const struct peer *peer)
{
    for (size_t i = 0; list && i < list->n; i++) {
        const struct prefix *p = &list->items[i];

        if (p->is_unix == peer->is_unix &&
            (p->is_unix || equal(p->address, peer->address, p->bits)))
            return true;
    }
    return false;
}
