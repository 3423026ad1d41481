/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask/answer.h"
#include "base/buffer.h"
#include "protocol/frame.h"

/*
 * Renders a reply for printing. No system calls.
 */

enum form { FORM_TEXT, FORM_JSON, FORM_HEX };

struct render {
    enum form form;
    enum framing framing;
    bool terminal; /* escape bytes that a terminal would interpret */
};

/* Appends the reply as one or more whole lines. 0, or -ENOMEM with *out unchanged. */
int render_reply(const struct render *how, const struct answer *answer, struct buffer **out);
