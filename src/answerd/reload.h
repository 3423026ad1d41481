/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "answerd/config-file.h"
#include "answerd/wanted.h"

/*
 * The slow part of a reload, on its own thread: reads the configuration and looks up addresses. DNS
 * may take half a minute for a name, and the main thread must feed the watchdog and take signals
 * meanwhile.
 */
struct reload;

struct reload_what {
    const char *file; /* NULL: none */
    struct config_overrides overrides;
    struct config_defaults defaults;
    struct wanted_beside beside; /* takes over .passed with its contents */
};

/* Begins. Strings must live as long as the process. Writes to the eventfd when done. 0 or a
 * negative errno. */
int reload_begin(const struct reload_what *what, int event_fd, struct reload **ret);

/* Whether the thread is done. */
bool reload_done(const struct reload *r);

/* Takes the result of a thread that is done, once: 0; or a negative errno and the first error in
 * wrong[]. */
int reload_take(struct reload *r, struct config **ret_config, struct wanted *ret_wanted,
                char wrong[static PATH_MAX]);

/* If the thread is still working, it frees the struct later. NULL is fine. */
void reload_free(struct reload *r);
