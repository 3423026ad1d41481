/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "answerd/config-file.h"
#include "answerd/wanted.h"

/*
 * The part of a reload that may take its time: the configuration is read, and its addresses are
 * looked up, on a thread of its own. DNS may take half a minute for a name, and whoever feeds the
 * watchdog and takes signals must not wait for that.
 */
struct reload;

struct reload_what {
    const char *file; /* NULL: none */
    struct config_overrides overrides;
    struct config_defaults defaults;
    struct wanted_beside beside; /* .passed is taken over, with all that it points to */
};

/* Begins, with strings that are there as long as the process is. The eventfd is written to when it
 * is done. 0 or a negative errno. */
int reload_begin(const struct reload_what *what, int event_fd, struct reload **ret);

/* Whether it is done. */
bool reload_done(const struct reload *r);

/* Then, and once, what it found; or a negative errno, and the first thing that is wrong in
 * wrong[]. */
int reload_take(struct reload *r, struct config **ret_config, struct wanted *ret_wanted,
                char wrong[static PATH_MAX]);

/* One that is still under way frees itself when it is done. NULL is fine. */
void reload_free(struct reload *r);
