/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "ask-bench/result.h"

/* How a run goes, on stderr once a second: on a terminal one line that is written over, else, where
 * it is asked for, a line each time. */
struct progress {
    bool shown;
    bool terminal;
    bool dirty; /* the terminal's line has something on it */
};

void progress_init(struct progress *p, const struct options *o);

/* connecting: the connections are still being made. */
void progress_show(struct progress *p, const struct options *o, const struct sample *s,
                   bool connecting);

/* Leaves the terminal's line empty. */
void progress_end(struct progress *p);
