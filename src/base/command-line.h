/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <getopt.h>

/*
 * Command-line options, parsed in the same way by every program of this project, with the same
 * error messages.
 */

#define COMMAND_LINE_ERROR_MAX 512

/*
 * Like getopt_long(3), but prints nothing. It returns '?' and puts one line in `error` if an option
 * is unknown or ambiguous, lacks its value, or has a value it does not take. The line about an
 * unknown option names the nearest known one.
 *
 * letters: as for getopt_long(), and must begin with ':'. Set optind to 0 before the first call.
 */
int command_line_next(int argc, char **argv, const char *letters, const struct option *options,
                      char error[static COMMAND_LINE_ERROR_MAX]);
