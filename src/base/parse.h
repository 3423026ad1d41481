/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Numbers, sizes and time spans as people write them. Parsing is strict: no sign, no leading or
 * trailing space, no ignored rest, no silent overflow.
 *
 * All return 0, -EINVAL (wrong form) or -ERANGE (right form, but too large). On failure ret_ is
 * untouched.
 */

#define SPAN_INFINITY UINT64_MAX

/* Decimal digits only. */
int parse_u64(const char *text, uint64_t *ret);

/* Bytes: decimal digits, then an optional K, M or G in either case (powers of 1024). */
int parse_size(const char *text, uint64_t *ret);

/* Microseconds, in the forms of systemd.time(7): "500ms", "1min 30s", "1.5s", "infinity"
 * (SPAN_INFINITY). A number without a unit is in seconds. A month is 30.44 days and a year 365.25
 * days, as in systemd. */
int parse_span(const char *text, uint64_t *ret_us);

#define SPAN_TEXT_MAX 32

/* Writes a span in the largest unit that is exact ("30s", "1500ms"). Returns text. */
char *format_span(uint64_t us, char text[static SPAN_TEXT_MAX]);
