/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "ask-bench/chart.h"
#include "ask-bench/format.h"
#include "ask-bench/report-charts.h"
#include "base/macros.h"

#define TICKS_MAX   16
#define CURVE_MAX   1200
#define CURVE_STEP  0.005 /* of a decade: finer than the page shows */
#define SLICES_MAX  300   /* of time; a reader could not tell more apart */
#define STEPS_MAX   (2 * SLICES_MAX)
#define DECADES_MAX 9

static void card_begin(FILE *f, const char *title, const char *more)
{
    (void)fprintf(f, "<section class=\"card\"><h2>%s <span class=\"soft\">%s</span></h2>\n", title,
                  more);
}

static void time_ticks(struct chart *c)
{
    double ticks[TICKS_MAX];
    size_t n = axis_ticks(&c->y, 6, ticks, TICKS_MAX);
    char text[FORMAT_MAX];

    for (size_t i = 0; i < n; i++)
        chart_tick_y(c, ticks[i], format_round_time(ticks[i], text));
}

static void second_ticks(struct chart *c)
{
    double ticks[TICKS_MAX];
    size_t n = axis_ticks(&c->x, 6, ticks, TICKS_MAX);
    char text[FORMAT_MAX];

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(text, sizeof text, "%g s", ticks[i]);
        chart_tick_x(c, ticks[i], text);
    }
}

/* The share of `total` that lies above, as a negative power of ten: 2 at 99 %. */
static double nines(uint64_t total, uint64_t sum)
{
    return log10((double)total / (double)MAX(total - sum, UINT64_C(1)));
}

static size_t curve_points(const struct histogram *h, uint64_t total, struct point *points)
{
    uint64_t sum = 0;
    size_t n = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && n < CURVE_MAX; i++) {
        double x;

        if (h->counts[i] == 0)
            continue;
        if (n == 0)
            points[n++] = (struct point){ 0, (double)histogram_lowest(i) };
        sum += h->counts[i];
        x = nines(total, sum);
        if (sum == total || x - points[n - 1].x >= CURVE_STEP)
            points[n++] = (struct point){ x, (double)MIN(histogram_highest(i), h->max) };
    }
    return n;
}

static void percentile_ticks(struct chart *c)
{
    static const char *const names[DECADES_MAX + 1] = {
        "0%",      "90%",      "99%",       "99.9%",      "99.99%",
        "99.999%", "99.9999%", "99.99999%", "99.999999%", "99.9999999%",
    };
    size_t step = c->x.high >= 6 ? 2 : 1;

    for (size_t i = 0; (double)i <= c->x.high; i += step)
        chart_tick_x(c, (double)i, names[i]);
}

static void percentile_chart(const struct result *r, FILE *f)
{
    uint64_t total = histogram_total(&r->latency);
    struct point points[CURVE_MAX];
    double decades = nines(MAX(total, UINT64_C(1)), total);
    struct chart c;
    size_t n;

    card_begin(f, "Latency by percentile", "how long the slowest waited");
    n = total > 0 ? curve_points(&r->latency, total, points) : 0;
    if (n == 0) {
        (void)fputs("<p class=\"soft\">No reply came.</p></section>\n", f);
        return;
    }
    decades = fmin(fmax(decades, 2), DECADES_MAX);
    chart_begin(&c, f, "Latency by percentile", (struct axis){ .high = decades },
                axis_logarithmic(points[0].y, points[n - 1].y));
    time_ticks(&c);
    percentile_ticks(&c);
    chart_line(&c, "area", points, n, true);
    chart_line(&c, "one", points, n, false);
    chart_end(&c);
    (void)fputs("</section>\n", f);
}

/* The values that can be drawn for each slice of time. */
typedef double (*value_fn)(const struct sample *s);

static double rate_of(const struct sample *s)
{
    return (double)s->delta.replies / s->seconds;
}

static double p50_of(const struct sample *s)
{
    return (double)s->p50;
}

static double p99_of(const struct sample *s)
{
    return (double)s->p99;
}

static double max_of(const struct sample *s)
{
    return (double)s->max;
}

/* The number of samples per point. Of latencies a point shows the worst: an average would hide
 * it. */
static size_t group_size(const struct result *r)
{
    return DIV_ROUND_UP(r->n_samples, (size_t)SLICES_MAX);
}

/* The points of all samples, as steps: the highest or mean value of each group for as long as the
 * group took. Latencies are left out if no reply came. */
static size_t over_time(const struct result *r, value_fn value, bool highest,
                        struct point points[static STEPS_MAX])
{
    size_t group = group_size(r), n = 0;

    for (size_t i = 0; i < r->n_samples; i += group) {
        const struct sample *first = &r->samples[i];
        size_t end = MIN(i + group, r->n_samples);
        double sum = 0, most = 0, y;

        for (size_t j = i; j < end; j++) {
            double v = value(&r->samples[j]);

            sum += v;
            most = fmax(most, v);
        }
        if (highest && most <= 0)
            continue;
        y = highest ? most : sum / (double)(end - i);
        points[n++] = (struct point){ first->at - first->seconds, y };
        points[n++] = (struct point){ r->samples[end - 1].at, y };
    }
    return n;
}

static double highest_of(const struct result *r, value_fn value)
{
    double most = 0;

    for (size_t i = 0; i < r->n_samples; i++)
        most = fmax(most, value(&r->samples[i]));
    return most;
}

static double lowest_of(const struct result *r, value_fn value)
{
    double least = INFINITY;

    for (size_t i = 0; i < r->n_samples; i++)
        if (value(&r->samples[i]) > 0)
            least = fmin(least, value(&r->samples[i]));
    return least;
}

/* Marks the slices in which the generator was behind, below the lines. */
static void behind_bands(const struct result *r, struct chart *c)
{
    for (size_t i = 0; i < r->n_samples; i++) {
        const struct sample *s = &r->samples[i];

        if (s->behind)
            chart_band(c, "behind", s->at - s->seconds, s->at, "the generator could not keep up");
    }
}

/* The tooltips, above the lines. */
static void hit_bands(const struct result *r, struct chart *c)
{
    if (group_size(r) > 1)
        return;
    for (size_t i = 0; i < r->n_samples; i++) {
        const struct sample *s = &r->samples[i];
        char text[6 * FORMAT_MAX], rate[FORMAT_MAX], p50[FORMAT_MAX], p99[FORMAT_MAX];
        char max[FORMAT_MAX];

        if (s->delta.replies == 0)
            (void)snprintf(text, sizeof text, "%.1f s: no reply", s->at);
        else
            (void)snprintf(text, sizeof text, "%.1f s: %s/s, p50 %s, p99 %s, max %s", s->at,
                           format_count(rate_of(s), rate), format_time((double)s->p50, p50),
                           format_time((double)s->p99, p99), format_time((double)s->max, max));
        chart_band(c, "hit", s->at - s->seconds, s->at, text);
    }
}

static struct axis seconds_axis(const struct result *r)
{
    return (struct axis){ .high = fmax(r->samples[r->n_samples - 1].at, 0.001) };
}

static void rate_chart(const struct result *r, FILE *f)
{
    struct point points[STEPS_MAX];
    size_t n = over_time(r, rate_of, false, points), n_ticks;
    double ticks[TICKS_MAX];
    char text[FORMAT_MAX];
    struct chart c;

    card_begin(f, "Rate over time", "messages answered a second");
    chart_begin(&c, f, "Rate over time", seconds_axis(r),
                axis_linear(fmax(highest_of(r, rate_of), (double)r->options->rate)));
    behind_bands(r, &c);
    second_ticks(&c);
    n_ticks = axis_ticks(&c.y, 5, ticks, TICKS_MAX);
    for (size_t i = 0; i < n_ticks; i++)
        chart_tick_y(&c, ticks[i], format_count(ticks[i], text));
    chart_line(&c, "area", points, n, true);
    chart_line(&c, "one", points, n, false);
    if (r->options->rate > 0) {
        double asked = (double)r->options->rate;

        chart_line(&c, "two asked", (struct point[]){ { 0, asked }, { c.x.high, asked } }, 2,
                   false);
    }
    hit_bands(r, &c);
    chart_end(&c);
    (void)fputs("<p class=\"legend\"><span><i class=\"one\"></i>achieved</span>", f);
    if (r->options->rate > 0)
        (void)fputs("<span><i class=\"two\"></i>asked</span>", f);
    if (result_behind(r) > 0)
        (void)fputs("<span><i class=\"behind\"></i>generator behind</span>", f);
    (void)fputs("</p></section>\n", f);
}

static void latency_chart(const struct result *r, FILE *f)
{
    static const struct {
        const char *class;
        value_fn value;
    } lines[] = { { "three", max_of }, { "two", p99_of }, { "one", p50_of } };
    struct point points[STEPS_MAX];
    struct chart c;

    card_begin(f, "Latency over time", "of the messages answered in each second");
    if (highest_of(r, max_of) <= 0) {
        (void)fputs("<p class=\"soft\">No reply came.</p></section>\n", f);
        return;
    }
    chart_begin(&c, f, "Latency over time", seconds_axis(r),
                axis_logarithmic(lowest_of(r, p50_of), highest_of(r, max_of)));
    behind_bands(r, &c);
    second_ticks(&c);
    time_ticks(&c);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        size_t n = over_time(r, lines[i].value, true, points);

        chart_line(&c, lines[i].class, points, n, false);
    }
    hit_bands(r, &c);
    chart_end(&c);
    (void)fputs("<p class=\"legend\"><span><i class=\"one\"></i>p50</span>"
                "<span><i class=\"two\"></i>p99</span><span><i class=\"three\"></i>max</span>",
                f);
    if (group_size(r) > 1)
        (void)fprintf(f, "<span>each point: the worst of %zu seconds</span>", group_size(r));
    (void)fputs("</p></section>\n", f);
}

void report_charts(const struct result *r, FILE *f)
{
    percentile_chart(r, f);
    if (r->n_samples == 0)
        return;
    rate_chart(r, f);
    latency_chart(r, f);
}
