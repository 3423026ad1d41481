/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "ask/answer.h"
#include "base/buffer.h"

/* One JSON object and a newline. 0 or -ENOMEM. ascii: ASCII only. */
int render_json(const struct answer *answer, bool ascii, struct buffer **out);
bool render_has_json(void);
