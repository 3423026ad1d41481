/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "answerd/config.h"

/* Prints every value in force, and where it comes from, to standard output. listen: the addresses of
 * --listen. 0; or a negative errno, which has been said on standard error. */
int config_show(const struct config *c, const char *const *listen, size_t n_listen);
