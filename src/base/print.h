/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Writes a text to standard output, for --help. Returns 0, or a negative errno after printing the
 * error to standard error. */
int print_text(const char *text);
