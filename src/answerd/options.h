/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "answerd/config-file.h"

/* The command line. All strings are borrowed from argv. */
struct options {
    const char *config; /* as given; NULL: not given */
    const char **listen;
    size_t n_listen;
    struct config_overrides overrides;
    bool check, verbose;
};

/*
 * 1: continue with *ret; free it with options_free(). 0: --help or --version was printed. -EINVAL
 * for a usage error; another negative errno if the output could not be written. Errors are one line
 * on standard error.
 */
int options_parse(int argc, char *argv[], struct options *ret);

/* The file of --config, else the usual file if it or its folder exists; or NULL. */
const char *options_config_file(const struct options *o);
void options_free(struct options *o);
