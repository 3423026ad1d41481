/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What the program has made in OpenSSL. */

void seam_begin(void);
void seam_end(void);
size_t seam_left(void);
/* Streams and BIOs. */
void seam_free_streams(void);
/* Whether servers' contexts are left. */
bool seam_has_contexts(void);
