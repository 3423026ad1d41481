/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Writes a text to standard output, as --help wants it. 0; or a negative errno, which has been said on
 * standard error. */
int print_text(const char *text);
