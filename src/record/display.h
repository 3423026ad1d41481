/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/buffer.h"
#include "base/record.h"

/*
 * Shows records on standard error when answerd was started by hand and records elsewhere. A line
 * that cannot be written immediately is dropped.
 */
struct display {
    int fd; /* -1: not open yet */
    struct buffer *line;
};

/* Opens nothing yet. */
void display_init(struct display *d);
void display_deinit(struct display *d);

/* Shows one line for the record. */
void display_show(struct display *d, const struct record *record);
