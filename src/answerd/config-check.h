/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answerd/config-blame.h"

/* Whether the values fit together, once all files are read. 0; -EINVAL after an error; or
 * -ENOMEM. */
int config_check(const struct config *c, const struct config_blame *b);
