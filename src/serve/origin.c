/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "net/tls-server.h"
#include "serve/origin.h"

_Static_assert(PROXY_NAME_MAX <= RECORD_ORIGIN_MAX, "a name fits");
_Static_assert(2 * PROXY_UNIQUE_ID_MAX <= RECORD_ORIGIN_MAX, "an ID fits, in digits too");
_Static_assert(TLS_NAME_MAX <= RECORD_ORIGIN_MAX, "a verified name fits");
_Static_assert(PEER_TEXT_MAX <= RECORD_ORIGIN_MAX, "an address fits");

static char *put(char **at, const char *text)
{
    char *begin = *at;

    *at = stpcpy(begin, text) + 1;
    return begin;
}

static struct origin *make(const char *proxy, const char *identity, const char *proxy_id)
{
    struct origin *o =
        malloc(sizeof *o + strlen(proxy) + 1 + strlen(identity) + 1 + strlen(proxy_id) + 1);
    char *at;

    if (!o)
        return NULL;
    at = o->texts;
    o->record.proxy = put(&at, proxy);
    o->record.identity = put(&at, identity);
    o->record.proxy_id = put(&at, proxy_id);
    return o;
}

static bool is_printable(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] <= ' ' || bytes[i] > '~')
            return false;
    return true;
}

static void format_id(const uint8_t *id, size_t n, char text[static 2 * PROXY_UNIQUE_ID_MAX + 1])
{
    static const char digits[] = "0123456789abcdef";

    bool printable = is_printable(id, n);

    for (size_t i = 0; i < n; i++) {
        *text++ = printable ? (char)id[i] : digits[id[i] >> 4];
        if (!printable)
            *text++ = digits[id[i] & 15];
    }
    *text = '\0';
}

struct origin *origin_new(const struct peer *proxy, const struct proxy_header *header)
{
    char address[PEER_TEXT_MAX], id[2 * PROXY_UNIQUE_ID_MAX + 1], name[PROXY_NAME_MAX + 1] = "";

    (void)peer_format_address(proxy, address);
    format_id(header->unique_id, header->unique_id_size, id);
    if (header->name_size > 0)
        *(char *)mempcpy(name, header->name, header->name_size) = '\0';
    return make(address, name, id);
}

struct origin *origin_new_named(const struct origin *known, const char *name)
{
    return known ? make(known->record.proxy, name, known->record.proxy_id) : make("", name, "");
}
