/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>

#include "ask-bench/format.h"
#include "ask-bench/result.h"
#include "base/parse.h"

static void write_row(FILE *f, const char *name, const char *asked, const char *achieved)
{
    (void)fprintf(f, "%-12s %16s %16s\n", name, asked, achieved);
}

static void write_achieved(const struct result *r, FILE *f)
{
    const struct options *o = r->options;
    bool timed = o->duration_us < SPAN_INFINITY && o->mode != MODE_HOLD;
    char asked[FORMAT_MAX], achieved[FORMAT_MAX];

    write_row(f, "", "asked", "achieved");
    write_row(f, "connections", format_count((double)o->connections, asked),
              format_count((double)r->connections, achieved));
    write_row(f, "messages/s", o->rate ? format_count((double)o->rate, asked) : "-",
              format_count(result_rate(r), achieved));
    write_row(f, "messages",
              o->messages && o->mode != MODE_HOLD ? format_count((double)o->messages, asked) : "-",
              format_count((double)r->total.replies, achieved));
    if (o->tls) {
        write_row(f, "handshakes", "-", format_count((double)r->total.connects, achieved));
        write_row(f, "resumed", "-", format_count((double)r->total.resumed, achieved));
    }
    (void)snprintf(achieved, sizeof achieved, "%.2f", r->seconds);
    if (timed)
        (void)snprintf(asked, sizeof asked, "%.2f", (double)o->duration_us / 1e6);
    write_row(f, "seconds", timed ? asked : "-", achieved);
}

static void write_latency(const struct result *r, FILE *f)
{
    char text[FORMAT_MAX];

    (void)fprintf(f, "\n%-12s", "latency");
    if (r->total.replies == 0) {
        (void)fputs(" no reply came\n", f);
        return;
    }
    for (size_t i = 0; i < REPORT_PERCENTILES; i++) {
        const struct report_percentile *p = &report_percentiles[i];
        double ns = (double)histogram_percentile(&r->latency, p->percentile);

        (void)fprintf(f, "%s %-6s %s\n", i ? "            " : "", p->name, format_time(ns, text));
    }
    (void)fprintf(f, "%12s %-6s %s\n", "", "max", format_time((double)r->latency.max, text));
    (void)fprintf(f, "%12s %-6s %s\n", "", "mean", format_time(histogram_mean(&r->latency), text));
}

static void write_errors(const struct result *r, FILE *f)
{
    bool any = false;

    (void)fprintf(f, "%-12s", "errors");
    for (size_t i = 0; i < ERROR_KINDS; i++)
        if (r->total.errors[i] > 0) {
            (void)fprintf(f, "%s %" PRIu64 " %s", any ? "," : "", r->total.errors[i],
                          error_name((enum error_kind)i));
            any = true;
        }
    (void)fputs(any ? "\n" : " none\n", f);
}

static void write_generator(const struct result *r, FILE *f)
{
    size_t behind = result_behind(r);
    char text[FORMAT_MAX];

    (void)fprintf(f, "%-12s %" PRIu32 " worker%s, busy %.0f %% of the time", "generator",
                  r->workers, r->workers == 1 ? "" : "s", 100 * result_busy(r));
    if (r->total.replies > 0)
        (void)fprintf(f, ", %.2f µs of CPU a message",
                      (double)r->cpu_ns / 1e3 / (double)r->total.replies);
    (void)fputc('\n', f);
    if (r->options->mode == MODE_OPEN)
        (void)fprintf(f, "%12s %" PRIu64 " message%s sent late, by up to %s\n", "", r->total.late,
                      r->total.late == 1 ? "" : "s", format_time((double)r->late_max, text));
    if (behind > 0)
        (void)fprintf(f,
                      "%12s could not keep up in %zu of %zu seconds: in these, ask-bench was the "
                      "bottleneck, not the server\n",
                      "", behind, r->n_samples);
}

int report_text(const struct result *r, FILE *f)
{
    char mode[128], out[FORMAT_MAX], in[FORMAT_MAX];

    (void)fprintf(f, "%s: %s, %s framing, %zu bytes%s\n\n", r->options->target,
                  result_describe_mode(r->options, mode, sizeof mode),
                  framing_name(r->options->framing), r->message_size,
                  r->interrupted ? " (interrupted)" : "");
    write_achieved(r, f);
    write_latency(r, f);
    (void)fprintf(f, "\n%-12s %s sent, %s received\n", "bytes",
                  format_bytes((double)r->total.bytes_out, out),
                  format_bytes((double)r->total.bytes_in, in));
    write_errors(r, f);
    write_generator(r, f);
    return ferror(f) ? -EIO : 0;
}
