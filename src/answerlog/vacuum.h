/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "answerlog/options.h"
#include "answerlog/status.h"

/*
 * How much space a log takes, and less of it: the oldest segments are removed first. The newest one
 * always stays, whether answerd writes to it or not, so numbers never begin anew.
 */

enum status disk_usage(const struct options *o);

/* now_us: CLOCK_REALTIME. */
enum status vacuum(const struct options *o, uint64_t now_us);
