/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>
#include <stddef.h>

/* Is told each thing that is wrong with what a person wrote, as one line. */
typedef void (*report_fn)(void *userdata, const char *line);

/* Says it on standard error, which needs no userdata. */
void report_stderr(void *userdata, const char *line);

/* Keeps as many as there is room for, to be said later. */
struct gathered {
    char text[2 * PATH_MAX]; /* each ends in LF */
    size_t n;
};
void report_gather(void *userdata, const char *line);
void report_gathered(const struct gathered *g);

/* Keeps the first: userdata is a char[PATH_MAX], empty as long as there is none. */
void report_first(void *userdata, const char *line);
