/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "ask-bench/options.h"
#include "ask-bench/result.h"

#define OUTPUTS_MAX 4

/* The destinations of the reports. */
struct outputs {
    struct output {
        const char *name; /* for error messages */
        FILE *file;
        int (*write)(const struct result *r, FILE *f);
    } all[OUTPUTS_MAX];
    size_t n;
};

/* Opens the files that the options name. Standard output gets the text, unless another report is
 * sent there. 0, or a negative errno after a report on stderr. */
int outputs_open(struct outputs *outputs, const struct options *o);

/* Writes all reports and closes the files. 0, or a negative errno after a report on stderr. */
int outputs_write(struct outputs *outputs, const struct result *r);

/* Closes the files without writing. */
void outputs_discard(struct outputs *outputs);
