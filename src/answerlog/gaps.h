/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "log/reader.h"

/*
 * Says on standard error which records are missing, and counts what is damage.
 */

struct gaps {
    uint64_t n;         /* gaps that are damage */
    uint64_t n_missing; /* records in them, as far as their number is known */
};

/* Makes the reader report to *gaps. */
void gaps_attach(struct gaps *gaps, struct reader *r);
