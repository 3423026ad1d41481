/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <limits.h>

#include "answerd/listeners.h"
#include "answerd/options.h"

/* Exit statuses, as in sysexits.h. */
enum { EXIT_OK = 0, EXIT_USAGE = 64, EXIT_SYSTEM = 71, EXIT_IO = 74, EXIT_BAD_CONFIG = 78 };

/*
 * Before any worker runs: reads the configuration, opens the sockets and the log.
 */

/* The defaults of listeners. by_hand: see service_by_hand(). */
struct config_defaults startup_defaults(bool by_hand);

/* For --check: reports errors and settings without effect. Returns an exit status. */
int startup_check(const struct options *o);

/* Starts what else the configuration needs, and may fail: the record log. 0; or a negative errno,
 * with a line in wrong[], which is empty before. */
typedef int (*startup_fn)(void *userdata, const struct config *config, char wrong[static PATH_MAX]);

/* 0 with the configuration and the listeners, or an exit status after a report. *ret_config is NULL
 * if a signal ended the process first, which is not a failure. */
int startup(const struct options *o, const struct config_defaults *defaults, startup_fn also,
            void *userdata, struct config **ret_config, struct listeners *ret_listeners);

/* Reports settings without effect, given the sockets from systemd. */
void startup_advise(const struct config *config, const struct listeners *listeners,
                    report_fn report, void *userdata);
