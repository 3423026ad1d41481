/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <getopt.h>

/*
 * Options as every program of this project takes them, and one way to say what is wrong with them.
 */

#define COMMAND_LINE_ERROR_MAX 512

/*
 * As getopt_long(3), but where an option is unknown, ambiguous, lacks its value or has one too
 * many, nothing is printed: it returns '?', and `error` has one line. An unknown option's line
 * names the nearest known one.
 *
 * letters: as for getopt_long(), and must begin with ':'. Set optind to 0 before the first call.
 */
int command_line_next(int argc, char **argv, const char *letters, const struct option *options,
                      char error[static COMMAND_LINE_ERROR_MAX]);
