/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the valid UTF-8 sequence at the start of text[n], 0 where there is none. Overlong
 * forms, surrogates and what lies beyond U+10FFFF are invalid (RFC 3629). */
size_t utf8_sequence(const uint8_t *text, size_t n);

/* Whether the text has control characters, as below, beyond ASCII: those that JSON does not escape
 * by itself. */
bool escape_has_wide_controls(const uint8_t *text, size_t n);

/*
 * Makes any bytes safe to show on a terminal and in a log: control characters (C0, DEL, C1,
 * Unicode's line separators and those that turn the direction of writing) and bytes that are not
 * UTF-8 become \n, \r, \t or \xHH, and a backslash doubles so that the text says exactly what the
 * bytes were.
 *
 * Writes at most `capacity` bytes and no NUL. What does not fit is cut between characters and
 * marked with `…`. Returns the number of bytes written. capacity: at least 3.
 */
size_t escape_text(const uint8_t *text, size_t n, char *out, size_t capacity);
