/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answerd/options.h"

/* Runs the daemon until it is told to end. Returns an exit status. Errors have been reported. */
int server_run(const struct options *options);
