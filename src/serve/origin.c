/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "serve/origin.h"

_Static_assert(PROXY_NAME_MAX <= RECORD_ORIGIN_MAX, "a name fits");
_Static_assert(2 * PROXY_UNIQUE_ID_MAX <= RECORD_ORIGIN_MAX, "an ID fits, in digits too");
_Static_assert(PEER_TEXT_MAX <= RECORD_ORIGIN_MAX, "an address fits");

/* Copies the text, and returns where the next one begins. */
static char *put(char *at, const void *text, size_t n)
{
    if (n > 0)
        memcpy(at, text, n);
    at[n] = '\0';
    return at + n + 1;
}

static bool is_printable(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] <= ' ' || bytes[i] > '~')
            return false;
    return true;
}

static char *put_id(char *at, const uint8_t *id, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    if (is_printable(id, n))
        return put(at, id, n);
    for (size_t i = 0; i < n; i++) {
        *at++ = digits[id[i] >> 4];
        *at++ = digits[id[i] & 15];
    }
    *at = '\0';
    return at + 1;
}

struct origin *origin_new(const struct peer *proxy, const struct proxy_header *header)
{
    char address[PEER_TEXT_MAX], *at;
    size_t size = peer_format_address(proxy, address);
    struct origin *o =
        malloc(sizeof *o + size + 1 + header->name_size + 1 + 2 * header->unique_id_size + 1);

    if (!o)
        return NULL;
    o->record.proxy = at = o->texts;
    o->record.identity = at = put(at, address, size);
    o->record.proxy_id = at = put(at, header->name, header->name_size);
    (void)put_id(at, header->unique_id, header->unique_id_size);
    return o;
}
