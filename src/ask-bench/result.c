/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "ask-bench/format.h"
#include "ask-bench/result.h"
#include "base/macros.h"

#define LATE_SHARE 0.01
#define BUSY_SHARE 0.95

const struct report_percentile report_percentiles[REPORT_PERCENTILES] = {
    { "p50", 50 }, { "p90", 90 },     { "p95", 95 },
    { "p99", 99 }, { "p99.9", 99.9 }, { "p99.99", 99.99 },
};

void result_deinit(struct result *r)
{
    free(r->samples);
    r->samples = NULL;
    r->n_samples = r->n_room = 0;
}

int result_append(struct result *r, const struct sample *s)
{
    if (r->n_samples == r->n_room) {
        size_t room = MAX(2 * r->n_room, (size_t)64);
        struct sample *samples = reallocarray(r->samples, room, sizeof *samples);

        if (!samples)
            return -ENOMEM;
        r->samples = samples;
        r->n_room = room;
    }
    r->samples[r->n_samples++] = *s;
    return 0;
}

double result_rate(const struct result *r)
{
    return r->seconds > 0 ? (double)r->total.replies / r->seconds : 0;
}

double result_busy(const struct result *r)
{
    double available = 0, busy = 0;

    for (size_t i = 0; i < r->n_samples; i++) {
        available += r->samples[i].seconds * 1e9 * r->workers;
        busy += (double)r->samples[i].delta.busy_ns;
    }
    return available > 0 ? MIN(busy / available, 1.0) : 0;
}

size_t result_behind(const struct result *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_samples; i++)
        n += r->samples[i].behind;
    return n;
}

bool sample_behind(const struct options *o, uint32_t workers, const struct sample *s)
{
    if (o->mode == MODE_OPEN && (double)s->delta.late > LATE_SHARE * (double)s->delta.sent)
        return true;
    return (double)s->delta.busy_ns > BUSY_SHARE * s->seconds * 1e9 * workers;
}

double result_metric(const struct result *r, const struct assertion *a)
{
    switch (a->metric) {
    case METRIC_PERCENTILE:
        return (double)histogram_percentile(&r->latency, a->percentile);
    case METRIC_MAX:
        return (double)r->latency.max;
    case METRIC_MEAN:
        return histogram_mean(&r->latency);
    case METRIC_RATE:
        return result_rate(r);
    case METRIC_CONNECTIONS:
        return (double)r->connections;
    case METRIC_ERRORS:
        return (double)counters_errors(&r->total);
    }
    return 0;
}

/* Without messages there is no latency, and no assertion about it holds. */
static bool is_known(const struct result *r, const struct assertion *a)
{
    return !assertion_is_time(a) || r->total.replies > 0;
}

size_t result_check(const struct result *r, FILE *f)
{
    const struct options *o = r->options;
    size_t failed = 0;

    for (size_t i = 0; i < o->n_assertions; i++) {
        const struct assertion *a = &o->assertions[i];
        double actual = result_metric(r, a);
        char text[FORMAT_MAX];

        if (is_known(r, a) && assertion_holds(a, actual))
            continue;
        failed++;
        if (!is_known(r, a))
            (void)snprintf(text, sizeof text, "unknown, no reply came");
        else if (assertion_is_time(a))
            (void)format_time(actual, text);
        else
            (void)snprintf(text, sizeof text, "%.*f", a->metric == METRIC_RATE, actual);
        (void)fprintf(f, "ask-bench: assertion '%s' failed: actual value %s\n", a->text, text);
    }
    return failed;
}

/* The most frequent kind of error, to explain missing connections. */
static const char *main_error(const struct counters *c)
{
    size_t most = 0;

    for (size_t i = 0; i < ERROR_UNANSWERED; i++)
        if (c->errors[i] > c->errors[most])
            most = i;
    if (c->errors[most] == 0)
        return "the run ended first";
    return most == ERROR_ABSENT ? "nobody listens" : error_name((enum error_kind)most);
}

bool result_incomplete(const struct result *r, FILE *f)
{
    const struct options *o = r->options;
    uint64_t wanted = o->churn ? 1 : o->connections;

    if (r->total.errors[ERROR_WORKER] > 0) {
        (void)fprintf(f, "ask-bench: %" PRIu64 " of %" PRIu32 " workers died\n",
                      r->total.errors[ERROR_WORKER], r->workers);
        return true;
    }
    if (r->connections >= wanted || r->interrupted)
        return false;
    (void)fprintf(f, "ask-bench: %s: %" PRIu64 " of %" PRIu64 " connections made: %s\n", o->target,
                  r->connections, o->connections, main_error(&r->total));
    return true;
}

void result_explain_tls(const struct result *r, FILE *f)
{
    if (r->tls_error[0])
        (void)fprintf(f, "ask-bench: %s: TLS failed: %s\n", r->options->target, r->tls_error);
}

bool result_unanswered(const struct result *r, FILE *f)
{
    if (r->total.replies > 0 || r->interrupted)
        return false;
    (void)fprintf(f, "ask-bench: %s: no message was answered\n", r->options->target);
    return true;
}

char *result_describe_mode(const struct options *o, char *text, size_t size)
{
    const char *churn = o->churn ? ", a connection for each message" : "";
    const char *tls = o->tls ? ", TLS" : "";
    char rate[FORMAT_MAX];

    if (o->mode == MODE_HOLD)
        (void)snprintf(text, size, "idle connections, %" PRIu64 " message%s on each%s",
                       MAX(o->messages, UINT64_C(1)), o->messages > 1 ? "s" : "", tls);
    else if (o->mode == MODE_OPEN)
        (void)snprintf(text, size, "open loop, %s messages/s%s%s",
                       format_count((double)o->rate, rate), churn, tls);
    else
        (void)snprintf(text, size, "closed loop, %" PRIu64 " in flight%s%s", o->pipeline, churn,
                       tls);
    return text;
}
