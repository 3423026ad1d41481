/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "ask-bench/chart.h"
#include "base/macros.h"

#define WIDTH  560.0
#define HEIGHT 280.0
#define LEFT   74.0 /* room for the text beside the axes */
#define RIGHT  14.0
#define TOP    12.0
#define BOTTOM 34.0

/* The least number not below n that is 1, 2 or 5 times a power of ten. */
static double round_up(double n)
{
    double power = pow(10, floor(log10(n)));
    double part = n / power;

    return power * (part <= 1.0000001 ? 1 : part <= 2.0000001 ? 2 : part <= 5.0000001 ? 5 : 10);
}

struct axis axis_linear(double high)
{
    double step = round_up(fmax(high, 1e-9) / 4);

    return (struct axis){ .high = step * ceil(fmax(high, 1e-9) / step - 1e-9) };
}

struct axis axis_logarithmic(double low, double high)
{
    struct axis a = { .logarithmic = true };

    a.low = 1 / round_up(1 / fmax(low, 1e-9));
    a.high = round_up(fmax(high, a.low));
    if (a.high < a.low * 10)
        a.high = a.low * 10;
    return a;
}

static size_t ticks_linear(const struct axis *a, size_t wanted, double *ticks, size_t capacity)
{
    double step = round_up((a->high - a->low) / (double)wanted);
    size_t n = 0;

    while (n < capacity && a->low + (double)n * step <= a->high + step / 1000) {
        ticks[n] = a->low + (double)n * step;
        n++;
    }
    return n;
}

static size_t ticks_logarithmic(const struct axis *a, size_t wanted, double *ticks, size_t capacity)
{
    static const double parts[] = { 1, 2, 5 };
    int first = (int)floor(log10(a->low) + 1e-9), last = (int)ceil(log10(a->high));
    size_t n_parts = log10(a->high / a->low) * 3 <= (double)wanted ? ARRAY_SIZE(parts) : 1;
    size_t n = 0;

    for (int power = first; power <= last; power++)
        for (size_t i = 0; i < n_parts; i++) {
            double at = pow(10, power) * parts[i];

            if (at >= a->low * 0.9999 && at <= a->high * 1.0001 && n < capacity)
                ticks[n++] = at;
        }
    return n;
}

size_t axis_ticks(const struct axis *a, size_t wanted, double *ticks, size_t capacity)
{
    return a->logarithmic ? ticks_logarithmic(a, wanted, ticks, capacity)
                          : ticks_linear(a, wanted, ticks, capacity);
}

/* The position of a value on an axis, from 0 to 1. */
static double place(const struct axis *a, double value)
{
    double at;

    if (a->logarithmic)
        at = log(fmax(value, a->low) / a->low) / log(a->high / a->low);
    else
        at = (value - a->low) / (a->high - a->low);
    return fmin(fmax(at, 0), 1);
}

static double place_x(const struct chart *c, double x)
{
    return LEFT + place(&c->x, x) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct chart *c, double y)
{
    return HEIGHT - BOTTOM - place(&c->y, y) * (HEIGHT - TOP - BOTTOM);
}

void chart_begin(struct chart *c, FILE *f, const char *label, struct axis x, struct axis y)
{
    *c = (struct chart){ .f = f, .x = x, .y = y };
    (void)fprintf(f, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", WIDTH,
                  HEIGHT, label);
}

void chart_end(struct chart *c)
{
    (void)fputs("</svg>\n", c->f);
}

void chart_tick_x(struct chart *c, double x, const char *text)
{
    double at = place_x(c, x);

    (void)fprintf(c->f,
                  "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                  "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
                  at, at, TOP, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 20, text);
}

void chart_tick_y(struct chart *c, double y, const char *text)
{
    double at = place_y(c, y);

    (void)fprintf(c->f,
                  "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                  "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                  LEFT, WIDTH - RIGHT, at, at, LEFT - 8, at + 4, text);
}

void chart_line(struct chart *c, const char *class, const struct point *points, size_t n, bool area)
{
    if (n == 0)
        return;
    (void)fprintf(c->f, "<path class=\"%s\" d=\"", class);
    if (area)
        (void)fprintf(c->f, "M%.1f %.1f", place_x(c, points[0].x), HEIGHT - BOTTOM);
    for (size_t i = 0; i < n; i++)
        (void)fprintf(c->f, "%c%.1f %.1f", i == 0 && !area ? 'M' : 'L', place_x(c, points[i].x),
                      place_y(c, points[i].y));
    if (area)
        (void)fprintf(c->f, "L%.1f %.1fZ", place_x(c, points[n - 1].x), HEIGHT - BOTTOM);
    (void)fputs("\"/>\n", c->f);
}

void chart_band(struct chart *c, const char *class, double from, double to, const char *text)
{
    double x = place_x(c, from);

    (void)fprintf(c->f,
                  "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
                  "<title>%s</title></rect>\n",
                  class, x, TOP, place_x(c, to) - x, HEIGHT - TOP - BOTTOM, text);
}
