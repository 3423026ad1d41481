/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the valid UTF-8 sequence at the start of text[n], or 0 if there is none. Overlong
 * forms, surrogates and values above U+10FFFF are invalid (RFC 3629). */
size_t utf8_sequence(const uint8_t *text, size_t n);

/* Whether the text has control characters beyond ASCII (see below). JSON does not escape those by
 * itself. */
bool escape_has_wide_controls(const uint8_t *text, size_t n);

/*
 * Makes any bytes safe to show on a terminal and in a log. Control characters (C0, DEL, C1,
 * Unicode's line separators and its bidirectional controls) and bytes that are not UTF-8 become \n,
 * \r, \t or \xHH. A backslash is doubled, so the text shows exactly which bytes there were.
 *
 * Writes at most `capacity` bytes and no NUL. Longer text is cut between characters and ends in
 * `…`. Returns the number of bytes written. capacity: at least 3.
 */
size_t escape_text(const uint8_t *text, size_t n, char *out, size_t capacity);
