/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/*
 * Points in time, in the forms of journalctl(1):
 *
 *   2026-11-26 12:00[:SS[.µs]]   a space or T between; then UTC, Z or +HHMM, else local time
 *   2026-11-26                   midnight
 *   12:00[:SS]                   today
 *   now, today, yesterday, tomorrow
 *   -1h, +5min, 1h ago           from now, with a time span
 *   @1795694400                  seconds since 1970, UTC
 *
 * now_us: CLOCK_REALTIME. 0, or -EINVAL; then *ret_us is untouched.
 */
int when_parse(const char *text, uint64_t now_us, uint64_t *ret_us);
