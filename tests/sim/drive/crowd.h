/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "run.h"

/* So many connections that all record one message at once, where the journal has few places: how
 * often each has a turn must not grow with their number. */
void crowd(unsigned n, const struct run_options *options, struct run_result *ret);
