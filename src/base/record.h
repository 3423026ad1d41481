/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
};
