/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What a run must reach to be called good: METRIC OP VALUE, as in "p99<5ms".
 */
enum metric {
    METRIC_PERCENTILE,
    METRIC_MAX,
    METRIC_MEAN,
    METRIC_RATE,
    METRIC_CONNECTIONS,
    METRIC_ERRORS,
};

enum comparison { LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, EQUAL };

struct assertion {
    const char *text; /* as it was written; borrowed */
    enum metric metric;
    double percentile; /* of METRIC_PERCENTILE */
    enum comparison comparison;
    double value; /* ns for times, else a plain number */
};

/* 0, or -EINVAL with *ret_error a static text. text: must outlive the assertion. */
int assertion_parse(const char *text, struct assertion *ret, const char **ret_error);

/* Whether the metric is a time. */
bool assertion_is_time(const struct assertion *a);

/* Whether `actual`, in the assertion's unit, is what it wants. */
bool assertion_holds(const struct assertion *a, double actual);
