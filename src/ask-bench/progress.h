/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "ask-bench/result.h"

/* Progress on stderr once a second: one line that is overwritten on a terminal; else, if asked for,
 * a new line each time. */
struct progress {
    bool shown;
    bool terminal;
    bool dirty; /* the line on the terminal is not empty */
};

void progress_init(struct progress *p, const struct options *o);

/* connecting: connections are still being made. */
void progress_show(struct progress *p, const struct options *o, const struct sample *s,
                   bool connecting);

/* Clears the line on the terminal. */
void progress_end(struct progress *p);
