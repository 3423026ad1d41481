/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Numbers, sizes and time spans as people write them. Nothing is guessed: no sign, no leading or
 * trailing space, no rest that is ignored, no overflow that wraps.
 *
 * All return 0, -EINVAL (not of this form) or -ERANGE (of this form, but too large); ret_ is
 * untouched on failure.
 */

#define SPAN_INFINITY UINT64_MAX

/* Decimal digits only. */
int parse_u64(const char *text, uint64_t *ret);

/* Bytes: decimal digits, then optionally K, M or G in either case, each 1024 of the one before. */
int parse_size(const char *text, uint64_t *ret);

/* Microseconds, in systemd.time(7)'s forms: "500ms", "1min 30s", "1.5s", "infinity"
 * (SPAN_INFINITY); a number without a unit is in seconds. Months (30.44 d) and years (365.25 d) as
 * there. */
int parse_span(const char *text, uint64_t *ret_us);

#define SPAN_TEXT_MAX 32

/* Writes a span in the largest unit that says it exactly ("30s", "1500ms"). Returns text. */
char *format_span(uint64_t us, char text[static SPAN_TEXT_MAX]);
