/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A reply, and what it answers. All pointers are borrowed. */
struct answer {
    uint64_t number;     /* of the reply, from 1 */
    bool asked;          /* else the server said this without being asked */
    bool refusal;        /* the connection ended with it */
    bool cut_off;        /* the connection ended within it */
    const void *message; /* NULL where not asked, or where messages are not kept */
    size_t message_size;
    uint64_t rtt_us; /* where asked */
    const uint8_t *reply;
    size_t size;
};
