/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>

#include "ask-bench/result.h"

/* The cards of the page: the latency curve and, if there are samples, rate and latency over
 * time. */
void report_charts(const struct result *r, FILE *f);
