/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known about a connection besides its peer. "": nothing. */
struct record_origin {
    const char *identity; /* the client's verified name */
    const char *proxy;    /* the address, without port, of the proxy that it came through */
    const char *proxy_id; /* the proxy's ID of the connection */
};

#define RECORD_ORIGIN_MAX 256 /* the longest of these texts */

/*
 * What is recorded about one message. All pointers are borrowed, and valid only during the call.
 */
struct record {
    const uint8_t *data; /* the message, every byte */
    size_t size;
    const char *id;        /* unique across restarts; ASCII without spaces */
    const char *peer;      /* address without port, or a UNIX peer's pid and uid */
    const char *peer_port; /* decimal; "" for a UNIX peer */
    const char *peer_name; /* both, for display */
    const char *listener;
    uint64_t connection; /* the connection's number */
    uint64_t seq;        /* the message's number on its connection, from 1 */
    bool unfinished;     /* the stream ended before the message did: it may be incomplete */
    const struct record_origin *origin; /* NULL: nothing */
};
