/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "run.h"

/* This many connections each record one message at the same moment, and the journal has few places.
 * The number of dispatches per connection must not grow with the number of connections. */
void crowd(unsigned n, const struct run_options *options, struct run_result *ret);
