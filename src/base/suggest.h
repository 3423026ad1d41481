/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* The name that the user probably meant: the nearest by edit distance, ignoring case, or NULL if
 * none is close. */
const char *suggest(const char *text, const char *const names[], size_t n);
