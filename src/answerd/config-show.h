/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "answerd/config.h"

/* Prints every value in force and its origin to standard output. listen: the addresses of --listen.
 * 0, or a negative errno after a report on standard error. */
int config_show(const struct config *c, const char *const *listen, size_t n_listen);
