/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stand.h"

/* A fixture with a single worker on the stand, and the parts that tests use most. */

extern struct stand stand;
extern struct context *context;
extern struct sink_fake *sink;
extern struct counters *counters;

void alone_begin(void);
void alone_end(void);

/* Drains the worker: takes turns until nothing is left to do now. */
void alone_drain(void);
