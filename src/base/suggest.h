/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* Which of these names a person may have meant: the nearest by edit distance, regardless of case,
 * or NULL where none is near. */
const char *suggest(const char *text, const char *const names[], size_t n);
