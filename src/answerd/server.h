/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answerd/options.h"

/* Exit statuses; the numbers of sysexits.h. */
enum { EXIT_OK = 0, EXIT_USAGE = 64, EXIT_SYSTEM = 71, EXIT_BAD_CONFIG = 78 };

/* Reads the configuration and says what is wrong with it, for --check. Returns an exit status. */
int server_check(const struct options *options);

/* Runs the daemon until it is told to end. Returns an exit status; what went wrong has been
 * said. */
int server_run(const struct options *options);
