/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "answerd/config-file.h"

/* The command line. All strings are borrowed from argv. */
struct options {
    const char *config; /* as given; NULL: none was */
    const char **listen;
    size_t n_listen;
    struct config_overrides overrides;
    bool check, verbose;
};

/*
 * 1: go on, with *ret, to be freed with options_free(). 0: --help or --version was all. -EINVAL for
 * an error of usage, or what the system refused; both have been written to standard error in one
 * line.
 */
int options_parse(int argc, char *argv[], struct options *ret);

/* Where --config says, else the usual place, where there is a file or its folder; or NULL. */
const char *options_config_file(const struct options *o);
void options_free(struct options *o);
