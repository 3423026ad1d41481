/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "alone.h"

struct stand stand;
struct context *context;
struct sink_fake *sink;
struct counters *counters;

void alone_begin(void)
{
    stand_begin(&stand, 1);
    context = stand.contexts[0];
    sink = stand.sinks[0];
    counters = &context->counters;
}

void alone_end(void)
{
    stand_end(&stand);
}

void alone_drain(void)
{
    context_command(context, COMMAND_DRAIN);
    (void)stand_run(&stand);
}
