/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "ask-bench/result.h"

/* The latency curve, and where there are samples rate and latency over time: a card of the page
 * each. */
void report_charts(const struct result *r, FILE *f);
