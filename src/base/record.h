/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is written down of one message. All pointers are borrowed, and valid only during the call
 * that they are passed to.
 */
struct record {
    const uint8_t *data; /* the message, every byte */
    size_t size;
    const char *id;        /* unique across restarts; ASCII without spaces */
    const char *peer;      /* address without port, or a UNIX peer's pid and uid */
    const char *peer_port; /* decimal; "" for a UNIX peer */
    const char *peer_name; /* both, as they are shown to a person */
    const char *listener;
    uint64_t connection; /* its number */
    uint64_t seq;        /* the message's number on its connection, from 1 */
    bool unfinished;     /* the stream ended, and not the message by its own end: more may have
                            been meant */
};
