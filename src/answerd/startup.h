/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answerd/listeners.h"
#include "answerd/options.h"

/* Exit statuses; the numbers of sysexits.h. */
enum { EXIT_OK = 0, EXIT_USAGE = 64, EXIT_SYSTEM = 71, EXIT_BAD_CONFIG = 78 };

/*
 * What comes before anything runs: the configuration is read, and the sockets are there.
 */

/* For --check: says what is wrong, and what is in vain. Returns an exit status. */
int startup_check(const struct options *o);

/* 0, with the configuration and the listeners; or an exit status, and what is wrong has been said.
 * *ret_config is NULL where the process was told to end before, which is no failure. */
int startup(const struct options *o, const struct config_defaults *defaults,
            struct config **ret_config, struct listeners *ret_listeners);

/* Reports what the configuration says in vain, given what systemd passed. */
void startup_advise(const struct config *config, const struct listeners *listeners,
                    report_fn report, void *userdata);
