/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "run.h"

/* Shortens a failing run as far as possible, by deleting decisions and setting them to 0, as long
 * as the same violation occurs. Then traces it, call by call. */
void shorten(uint64_t seed, const struct run_options *options);
