/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "ask-bench/options.h"
#include "ask-bench/result.h"

#define OUTPUTS_MAX 4

/* Where reports go. */
struct outputs {
    struct output {
        const char *name; /* for errors */
        FILE *file;
        int (*write)(const struct result *r, FILE *f);
    } all[OUTPUTS_MAX];
    size_t n;
};

/* Opens what the options name; standard output has the text, or what was asked to go
 * there. 0, or a negative errno that has been said on stderr. */
int outputs_open(struct outputs *outputs, const struct options *o);

/* Writes all reports and closes the files. 0, or a negative errno that has been said on stderr. */
int outputs_write(struct outputs *outputs, const struct result *r);

/* Closes them with nothing written. */
void outputs_discard(struct outputs *outputs);
