/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "run.h"

/* Makes a failing run as short as it can be, by leaving out decisions and setting them to 0, as long
 * as the same thing is violated; then shows it, call by call. */
void shorten(uint64_t seed, const struct run_options *options);
