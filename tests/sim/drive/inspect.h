/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "serve/context.h"

/* For inspect.c. */
void inspect_prefaces(const struct context *x);
