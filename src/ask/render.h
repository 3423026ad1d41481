/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "protocol/frame.h"

/*
 * A reply as it is printed. No system calls.
 */

enum form { FORM_TEXT, FORM_JSON, FORM_HEX };

struct render {
    enum form form;
    enum framing framing;
    bool terminal; /* escape what a terminal would act upon */
};

struct answer {
    uint64_t number;     /* of the reply, from 1 */
    const void *message; /* NULL: the server said this without being asked */
    size_t message_size;
    uint64_t rtt_us; /* where there is a message */
    const uint8_t *reply;
    size_t size;
};

/* Appends the reply, as one or more whole lines. 0 or -ENOMEM; *out is as it was after a failure.
 */
int render_reply(const struct render *how, const struct answer *answer, struct buffer **out);

/* One JSON object and a newline. 0 or -ENOMEM. ascii: nothing but ASCII. */
int render_json(const struct answer *answer, bool ascii, struct buffer **out);
bool render_has_json(void);
