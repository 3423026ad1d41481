/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Writes a text to standard output, as --help wants it, and sees that it gets there. 0 or a
 * negative errno. */
int print_text(const char *text);
