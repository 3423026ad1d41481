/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Numbers for people. */

#define FORMAT_MAX 48

/* A time in a fitting unit with three significant digits: "12.3 µs", "1.05 s". Returns text. */
char *format_time(double ns, char text[static FORMAT_MAX]);

/* The same for a round number: "5 ms". Returns text. */
char *format_round_time(double ns, char text[static FORMAT_MAX]);

/* A rounded number with thousands separators: "48,312". Returns text. */
char *format_count(double n, char text[static FORMAT_MAX]);

/* Bytes: "12.3 MiB". Returns text. */
char *format_bytes(double n, char text[static FORMAT_MAX]);
