/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ask-bench/format.h"
#include "ask-bench/machine.h"
#include "ask-bench/report-charts.h"
#include "ask-bench/report-style.h"
#include "ask-bench/result.h"
#include "base/macros.h"
#include "base/parse.h"

/* Escapes text from the user or the machine, which may look like markup. */
static void write_text(FILE *f, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
            (void)fputs("&lt;", f);
            break;
        case '>':
            (void)fputs("&gt;", f);
            break;
        case '&':
            (void)fputs("&amp;", f);
            break;
        default:
            (void)fputc(*text, f);
        }
}

static void write_header(const struct result *r, FILE *f)
{
    char mode[128], when[64];
    struct tm tm;

    (void)fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                "<title>Load on ",
                f);
    write_text(f, r->options->target);
    (void)fprintf(f, "</title>\n<style>\n%s</style></head><body><main>\n<header><h1>Load on ",
                  report_style);
    write_text(f, r->options->target);
    if (strcmp(r->options->target, r->address) != 0) {
        (void)fputs(" <span class=\"soft\">", f);
        write_text(f, r->address);
        (void)fputs("</span>", f);
    }
    if (!localtime_r(&r->started, &tm) || strftime(when, sizeof when, "%F %T %z", &tm) == 0)
        when[0] = '\0';
    (void)fprintf(f,
                  "</h1><p>%s &middot; %s framing, %zu bytes a message &middot; %s</p></header>\n",
                  result_describe_mode(r->options, mode, sizeof mode),
                  framing_name(r->options->framing), r->message_size, when);
}

static void write_notes(const struct result *r, FILE *f)
{
    size_t behind = result_behind(r);

    if (r->interrupted)
        (void)fputs(
            "<p class=\"note\">The run was interrupted. These are the results so far.</p>\n", f);
    if (behind > 0)
        (void)fprintf(f,
                      "<p class=\"note\">The generator could not keep up in %zu of %zu seconds: "
                      "in these, it was the bottleneck, not the server.</p>\n",
                      behind, r->n_samples);
    if (!r->options->churn && r->connections < r->options->connections && !r->interrupted)
        (void)fprintf(
            f, "<p class=\"note bad\">Only %" PRIu64 " of %" PRIu64 " connections were made.</p>\n",
            r->connections, r->options->connections);
}

static void write_tile(FILE *f, const char *class, const char *name, const char *value,
                       const char *more)
{
    (void)fprintf(f,
                  "<div class=\"tile %s\"><div class=\"name\">%s</div><div class=\"value\">%s</div>"
                  "<div class=\"more\">%s</div></div>\n",
                  class, name, value, more);
}

static void write_time_tile(const struct result *r, FILE *f, const char *name, double percentile,
                            const char *more)
{
    char text[FORMAT_MAX];

    write_tile(f, "", name,
               r->total.replies
                   ? format_time((double)histogram_percentile(&r->latency, percentile), text)
                   : "&ndash;",
               more);
}

static void write_tiles(const struct result *r, FILE *f)
{
    const struct options *o = r->options;
    uint64_t errors = counters_errors(&r->total);
    char value[FORMAT_MAX], count[FORMAT_MAX], more[2 * FORMAT_MAX];

    (void)fputs("<div class=\"tiles\">\n", f);
    (void)snprintf(more, sizeof more, "%s %s", o->rate ? "asked:" : "as fast as",
                   o->rate ? format_count((double)o->rate, count) : "possible");
    write_tile(f, "", "messages a second", format_count(result_rate(r), value), more);
    (void)snprintf(more, sizeof more, "asked: %s", format_count((double)o->connections, count));
    write_tile(f, "", "connections", format_count((double)r->connections, value), more);
    write_time_tile(r, f, "p50", 50, "half waited longer");
    write_time_tile(r, f, "p99", 99, "1 in 100 waited longer");
    write_time_tile(r, f, "p99.9", 99.9, "1 in 1,000 waited longer");
    (void)snprintf(more, sizeof more, "in %s messages", format_count((double)r->total.sent, count));
    write_tile(f, errors ? "bad" : "", "errors", format_count((double)errors, value), more);
    (void)fputs("</div>\n", f);
}

static void table_begin(FILE *f, const char *title, const char *head)
{
    (void)fprintf(f, "<section class=\"card\"><h2>%s</h2><table>%s<tbody>\n", title, head);
}

static void table_end(FILE *f)
{
    (void)fputs("</tbody></table></section>\n", f);
}

static void write_row(FILE *f, const char *name, const char *value)
{
    (void)fprintf(f, "<tr><td>%s</td><td>", name);
    write_text(f, value);
    (void)fputs("</td></tr>\n", f);
}

static void write_pair(FILE *f, const char *name, const char *asked, const char *achieved)
{
    (void)fprintf(f, "<tr><td>%s</td><td>%s</td><td>%s</td></tr>\n", name, asked, achieved);
}

static void write_achieved(const struct result *r, FILE *f)
{
    static const char none[] = "&ndash;";
    const struct options *o = r->options;
    bool timed = o->duration_us < SPAN_INFINITY && o->mode != MODE_HOLD;
    char a[FORMAT_MAX], b[FORMAT_MAX];

    table_begin(f, "Asked and achieved",
                "<thead><tr><th></th><th>asked</th><th>achieved</th></tr></thead>");
    write_pair(f, "connections", format_count((double)o->connections, a),
               format_count((double)r->connections, b));
    write_pair(f, "messages a second", o->rate ? format_count((double)o->rate, a) : none,
               format_count(result_rate(r), b));
    write_pair(f, "messages",
               o->messages && o->mode != MODE_HOLD ? format_count((double)o->messages, a) : none,
               format_count((double)r->total.replies, b));
    (void)snprintf(b, sizeof b, "%.2f s", r->seconds);
    if (timed)
        (void)snprintf(a, sizeof a, "%.2f s", (double)o->duration_us / 1e6);
    write_pair(f, "time", timed ? a : none, b);
    (void)snprintf(b, sizeof b, "%.2f s", r->connect_seconds);
    write_pair(f, "time to connect", none, b);
    if (o->tls) {
        write_pair(f, "TLS handshakes", none, format_count((double)r->total.connects, b));
        write_pair(f, "of these, resumed", none, format_count((double)r->total.resumed, b));
    }
    write_pair(f, "bytes sent", none, format_bytes((double)r->total.bytes_out, b));
    write_pair(f, "bytes received", none, format_bytes((double)r->total.bytes_in, b));
    table_end(f);
}

static void write_latency(const struct result *r, FILE *f)
{
    char text[FORMAT_MAX];

    table_begin(f, "Latency", "");
    for (size_t i = 0; i < REPORT_PERCENTILES && r->total.replies > 0; i++) {
        const struct report_percentile *p = &report_percentiles[i];

        write_row(f, p->name,
                  format_time((double)histogram_percentile(&r->latency, p->percentile), text));
    }
    if (r->total.replies > 0) {
        write_row(f, "max", format_time((double)r->latency.max, text));
        write_row(f, "mean", format_time(histogram_mean(&r->latency), text));
    }
    if (histogram_total(&r->connect) > 0)
        write_row(f, "connecting, p99",
                  format_time((double)histogram_percentile(&r->connect, 99), text));
    table_end(f);
}

static void write_errors(const struct result *r, FILE *f)
{
    char text[FORMAT_MAX];

    table_begin(f, "Errors", "");
    for (size_t i = 0; i < ERROR_KINDS; i++)
        if (r->total.errors[i] > 0)
            write_row(f, error_name((enum error_kind)i),
                      format_count((double)r->total.errors[i], text));
    if (counters_errors(&r->total) == 0)
        write_row(f, "none", "0");
    table_end(f);
}

static void write_generator(const struct result *r, FILE *f)
{
    double replies = (double)MAX(r->total.replies, UINT64_C(1));
    char text[FORMAT_MAX];

    table_begin(f, "Generator", "");
    (void)snprintf(text, sizeof text, "%" PRIu32, r->workers);
    write_row(f, "workers", text);
    (void)snprintf(text, sizeof text, "%.0f %%", 100 * result_busy(r));
    write_row(f, "busy", text);
    write_row(f, "CPU a message", format_time((double)r->cpu_ns / replies, text));
    write_row(f, "messages sent late", format_count((double)r->total.late, text));
    write_row(f, "latest by", format_time((double)r->late_max, text));
    (void)snprintf(text, sizeof text, "%zu of %zu", result_behind(r), r->n_samples);
    write_row(f, "seconds that it could not keep up", text);
    table_end(f);
}

static void write_machine(FILE *f)
{
    char text[2 * sizeof(((struct utsname *)NULL)->release) + 2];
    struct machine m;

    machine_read(&m);
    table_begin(f, "Machine", "");
    write_row(f, "processor", m.processor);
    (void)snprintf(text, sizeof text, "%ld", m.processors);
    write_row(f, "processors online", text);
    write_row(f, "memory", m.memory ? format_bytes((double)m.memory, text) : "unknown");
    (void)snprintf(text, sizeof text, "%s %s", m.system.sysname, m.system.release);
    write_row(f, "kernel", text);
    write_row(f, "architecture", m.system.machine);
    table_end(f);
}

int report_html(const struct result *r, FILE *f)
{
    write_header(r, f);
    write_notes(r, f);
    write_tiles(r, f);
    (void)fputs("<div class=\"cards\">\n", f);
    report_charts(r, f);
    write_latency(r, f);
    write_achieved(r, f);
    write_errors(r, f);
    write_generator(r, f);
    write_machine(f);
    (void)fprintf(f,
                  "</div>\n<footer>Latency counts from the moment a message was due. Made by "
                  "ask-bench %s.</footer>\n</main></body></html>\n",
                  PACKAGE_VERSION);
    return ferror(f) ? -EIO : 0;
}
