/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "ask-bench/format.h"
#include "ask-bench/progress.h"

void progress_init(struct progress *p, const struct options *o)
{
    *p = (struct progress){ .terminal = isatty(STDERR_FILENO) };
    p->shown = p->terminal || o->progress;
}

static void show_connecting(const struct options *o, const struct sample *s)
{
    char open[FORMAT_MAX], asked[FORMAT_MAX], rate[FORMAT_MAX];
    uint64_t errors = counters_errors(&s->delta);

    (void)fprintf(
        stderr, "connecting: %s of %s, %s/s, %" PRIu64 " error%s",
        format_count((double)s->connections, open), format_count((double)o->connections, asked),
        format_count((double)s->delta.connects / s->seconds, rate), errors, errors == 1 ? "" : "s");
}

static void show_running(const struct sample *s)
{
    char open[FORMAT_MAX], rate[FORMAT_MAX], p50[FORMAT_MAX], p99[FORMAT_MAX];
    uint64_t errors = counters_errors(&s->delta);

    (void)fprintf(stderr, "%4.0f s  %s connections  %s/s  ", s->at,
                  format_count((double)s->connections, open),
                  format_count((double)s->delta.replies / s->seconds, rate));
    if (s->delta.replies > 0)
        (void)fprintf(stderr, "p50 %s  p99 %s  ", format_time((double)s->p50, p50),
                      format_time((double)s->p99, p99));
    (void)fprintf(stderr, "%" PRIu64 " error%s%s", errors, errors == 1 ? "" : "s",
                  s->behind ? "  generator behind" : "");
}

void progress_show(struct progress *p, const struct options *o, const struct sample *s,
                   bool connecting)
{
    if (!p->shown)
        return;
    /* CR, then EL to clear the line (ECMA-48). */
    if (p->terminal)
        (void)fputs("\r\033[K", stderr);
    if (connecting)
        show_connecting(o, s);
    else
        show_running(s);
    if (!p->terminal)
        (void)fputc('\n', stderr);
    p->dirty = p->terminal;
}

void progress_end(struct progress *p)
{
    if (p->dirty)
        (void)fputs("\r\033[K", stderr);
    p->dirty = false;
}
