/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Line charts as inline SVG. The page's style sheet sets colours and text sizes, by class. */

struct point {
    double x, y;
};

struct axis {
    double low, high; /* low < high; low > 0 if it is logarithmic */
    bool logarithmic;
};

struct chart {
    FILE *f;
    struct axis x, y;
};

/* An axis from 0 to `high`; or from `low` to `high`, rounded outwards to steps of 1, 2 and 5. */
struct axis axis_linear(double high);
struct axis axis_logarithmic(double low, double high);

/* The positions of the grid lines, rising: about `wanted` of them, `capacity` at most. */
size_t axis_ticks(const struct axis *a, size_t wanted, double *ticks, size_t capacity);

/* label: the text for screen readers. */
void chart_begin(struct chart *c, FILE *f, const char *label, struct axis x, struct axis y);
void chart_end(struct chart *c);

/* A grid line, horizontal or vertical, with its text beside the axis. */
void chart_tick_x(struct chart *c, double x, const char *text);
void chart_tick_y(struct chart *c, double y, const char *text);

/* A line through the points, in order. area: fills the space down to the axis. */
void chart_line(struct chart *c, const char *class, const struct point *points, size_t n,
                bool area);

/* A vertical band over the chart, with a tooltip. */
void chart_band(struct chart *c, const char *class, double from, double to, const char *text);
