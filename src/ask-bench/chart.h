/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Line charts as inline SVG. Colours and sizes of text are left to the page's style sheet, by
 * class. */

struct point {
    double x, y;
};

struct axis {
    double low, high; /* low < high; low > 0 where it is logarithmic */
    bool logarithmic;
};

struct chart {
    FILE *f;
    struct axis x, y;
};

/* An axis that holds 0 to `high`, or from `low` to `high` in whole steps of 1, 2 and 5. */
struct axis axis_linear(double high);
struct axis axis_logarithmic(double low, double high);

/* Where the axis has lines: at most `capacity`, in rising order, about `wanted` of them. */
size_t axis_ticks(const struct axis *a, size_t wanted, double *ticks, size_t capacity);

/* label: what a reader who cannot see it is told. */
void chart_begin(struct chart *c, FILE *f, const char *label, struct axis x, struct axis y);
void chart_end(struct chart *c);

/* A line across, or down, with its text beside the axis. */
void chart_tick_x(struct chart *c, double x, const char *text);
void chart_tick_y(struct chart *c, double y, const char *text);

/* A line through the points, in order. area: filled down to the axis. */
void chart_line(struct chart *c, const char *class, const struct point *points, size_t n,
                bool area);

/* A vertical band over the chart, with a text for the pointer that rests on it. */
void chart_band(struct chart *c, const char *class, double from, double to, const char *text);
