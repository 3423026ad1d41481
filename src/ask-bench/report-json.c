/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ask-bench/result.h"

#ifdef HAVE_JANSSON
#include <jansson.h>

#include "base/parse.h"

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *micros(double ns)
{
    return json_real(ns / 1000);
}

static json_t *asked(const struct result *r)
{
    static const char *const modes[] = {
        [MODE_CLOSED] = "closed", [MODE_OPEN] = "open", [MODE_HOLD] = "hold"
    };
    const struct options *o = r->options;
    bool endless = o->duration_us == SPAN_INFINITY;

    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:b, s:s, s:o, s:o, s:b, s:b}",
                     "address", o->target, "mode", modes[o->mode], "connections",
                     number(o->connections), "rate", o->rate ? number(o->rate) : json_null(),
                     "messages", o->messages ? number(o->messages) : json_null(), "duration",
                     endless ? json_null() : json_real((double)o->duration_us / 1e6), "framing",
                     framing_name(o->framing), "size", number(r->message_size), "pipeline",
                     number(o->pipeline), "churn", o->churn, "verify",
                     o->verify_echo ? "echo" : "frames", "ramp",
                     o->ramp ? number(o->ramp) : json_null(), "expect",
                     o->expect_text ? json_string(o->expect_text) : json_null(), "tls", o->tls,
                     "tls_resume", o->tls_settings.resumes);
}

static json_t *if_tls(const struct result *r, uint64_t n)
{
    return r->options->tls ? number(n) : json_null();
}

static json_t *achieved(const struct result *r)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "connections",
                     number(r->connections), "rate", json_real(result_rate(r)), "messages",
                     number(r->total.replies), "seconds", json_real(r->seconds), "connects",
                     number(r->total.connects), "connect_seconds", json_real(r->connect_seconds),
                     "bytes_sent", number(r->total.bytes_out), "bytes_received",
                     number(r->total.bytes_in), "interrupted", r->interrupted, "handshakes",
                     if_tls(r, r->total.connects), "resumed", if_tls(r, r->total.resumed));
}

/* Empty if nothing was measured: 0 would be a very good latency. */
static json_t *percentiles(const struct histogram *h)
{
    json_t *times = json_object();

    if (histogram_total(h) == 0)
        return times;
    for (size_t i = 0; i < REPORT_PERCENTILES; i++) {
        const struct report_percentile *p = &report_percentiles[i];
        double ns = (double)histogram_percentile(h, p->percentile);

        (void)json_object_set_new(times, p->name, micros(ns));
    }
    (void)json_object_set_new(times, "max", micros((double)h->max));
    (void)json_object_set_new(times, "mean", micros(histogram_mean(h)));
    return times;
}

static json_t *errors(const struct counters *c)
{
    json_t *kinds = json_object();

    for (size_t i = 0; i < ERROR_KINDS; i++)
        if (c->errors[i] > 0)
            (void)json_object_set_new(kinds, error_name((enum error_kind)i), number(c->errors[i]));
    return kinds;
}

static json_t *generator(const struct result *r)
{
    double replies = r->total.replies > 0 ? (double)r->total.replies : 1;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "late", number(r->total.late),
                     "late_max_us", micros((double)r->late_max), "behind_seconds",
                     number(result_behind(r)), "busy", json_real(result_busy(r)),
                     "cpu_us_per_message", micros((double)r->cpu_ns / replies), "workers",
                     number(r->workers), "sources", number(r->sources));
}

/* One slice. It has no latency if no reply came. */
static json_t *micros_of(const struct sample *s, uint64_t ns)
{
    return s->delta.replies > 0 ? micros((double)ns) : json_null();
}

static json_t *over_time(const struct result *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->n_samples; i++) {
        const struct sample *s = &r->samples[i];

        (void)json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "at", json_real(s->at),
                            "connections", number(s->connections), "rate",
                            json_real((double)s->delta.replies / s->seconds), "p50_us",
                            micros_of(s, s->p50), "p99_us", micros_of(s, s->p99), "max_us",
                            micros_of(s, s->max), "errors", number(counters_errors(&s->delta)),
                            "late", number(s->delta.late), "behind", s->behind));
    }
    return list;
}

int report_json(const struct result *r, FILE *f)
{
    json_t *root = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "asked", asked(r), "achieved",
                             achieved(r), "latency_us", percentiles(&r->latency), "connect_us",
                             percentiles(&r->connect), "errors", errors(&r->total), "generator",
                             generator(r), "over_time", over_time(r));
    int failed;

    if (!root)
        return -ENOMEM;
    failed = json_dumpf(root, f, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) < 0;
    (void)fputc('\n', f);
    json_decref(root);
    return failed || ferror(f) ? -EIO : 0;
}

#else

/* Not reached: the option is refused earlier. */
int report_json(const struct result *r, FILE *f)
{
    (void)r;
    (void)f;
    return -EOPNOTSUPP;
}

#endif
