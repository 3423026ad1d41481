/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A reply and the message it answers. All pointers are borrowed. */
struct answer {
    uint64_t number;     /* the number of the reply, from 1 */
    bool asked;          /* false: the server sent this unasked */
    bool refusal;        /* the connection ended after it */
    bool cut_off;        /* the connection ended within it */
    const void *message; /* NULL if not asked, or if messages are not kept */
    size_t message_size;
    uint64_t rtt_us; /* if asked */
    const uint8_t *reply;
    size_t size;
};
