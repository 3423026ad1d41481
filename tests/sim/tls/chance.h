/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* OpenSSL's random numbers come from a seed. */

void chance_take_over(void);
void chance_seed(uint64_t seed);
