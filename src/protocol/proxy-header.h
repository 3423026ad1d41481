/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The header that a proxy sends before the client's bytes, versions 1 and 2
 * (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt).
 */

enum { PROXY_V1 = 1 << 0, PROXY_V2 = 1 << 1 };

#define PROXY_HEADER_MAX    4096 /* bytes; the standard allows 65,551, proxies send a few hundred */
#define PROXY_NAME_MAX      255
#define PROXY_UNIQUE_ID_MAX 128

/* How a header of version 2 begins. */
#define PROXY_SIGNATURE_SIZE 12
extern const uint8_t proxy_signature[PROXY_SIGNATURE_SIZE];

struct proxy_header {
    bool has_client;     /* false: the connection is the proxy's own, such as a health check, or the
                        proxy does not say whose it is. Nothing else is set then */
    uint8_t address[16]; /* the client's: IPv6, or IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
    const uint8_t *name; /* the common name of the client's certificate, which the proxy has
                            verified; borrowed from the header; NULL: none */
    size_t name_size;
    const uint8_t *unique_id; /* likewise, of the connection */
    size_t unique_id_size;
};

/*
 * Parses the header at the beginning of a stream. n: how many bytes of it there are. versions: the
 * PROXY_* that are allowed. Returns the size of the header; 0 if it is not complete; or -EBADMSG
 * with a static text in *ret_error that says what is wrong. Bytes behind the header are not looked
 * at.
 */
ssize_t proxy_header_parse(const uint8_t *bytes, size_t n, unsigned versions,
                           struct proxy_header *ret, const char **ret_error);
