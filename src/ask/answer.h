/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A reply, and what it answers. All pointers are borrowed. */
struct answer {
    uint64_t number;     /* of the reply, from 1 */
    const void *message; /* NULL: the server said this without being asked */
    size_t message_size;
    uint64_t rtt_us; /* where there is a message */
    const uint8_t *reply;
    size_t size;
};
