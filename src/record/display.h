/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/buffer.h"
#include "base/record.h"

/*
 * Shows records on standard error to the person who started answerd by hand, besides recording them
 * elsewhere. A line that cannot be written at once is left out.
 */
struct display {
    int fd; /* -1: not open yet */
    struct buffer *line;
};

/* Opens nothing yet. */
void display_init(struct display *d);
void display_deinit(struct display *d);

/* One line for the record. */
void display_show(struct display *d, const struct record *record);
