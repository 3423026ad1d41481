/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * A condition that a run must meet: METRIC OP VALUE, as in "p99<5ms".
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
    const char *text; /* as given; borrowed */
    enum metric metric;
    double percentile; /* of METRIC_PERCENTILE */
    enum comparison comparison;
    double value; /* ns if it is a time, else */
};

/* 0, or -EINVAL and *ret_error, a static text. text must outlive the assertion. */
int assertion_parse(const char *text, struct assertion *ret, const char **ret_error);

/* Whether the metric is a time. */
bool assertion_is_time(const struct assertion *a);

/* Whether `actual`, in the unit of the assertion, meets it. */
bool assertion_holds(const struct assertion *a, double actual);
