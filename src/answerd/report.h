/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>
#include <stddef.h>

/* Receives each error in user input, as one line. */
typedef void (*report_fn)(void *userdata, const char *line);

/* Prints to standard error. Needs no userdata. */
void report_stderr(void *userdata, const char *line);

/* Keeps as many lines as fit, for later. */
struct gathered {
    char text[2 * PATH_MAX]; /* lines that end in LF */
    size_t n;
};
void report_gather(void *userdata, const char *line);
void report_gathered(const struct gathered *g);

/* Keeps the first line. userdata is a char[PATH_MAX], empty at first. */
void report_first(void *userdata, const char *line);
