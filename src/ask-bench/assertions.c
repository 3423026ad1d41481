/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "ask-bench/assertions.h"
#include "base/macros.h"
#include "base/parse.h"

static const struct {
    const char *name;
    enum metric metric;
    double percentile;
} metrics[] = {
    { "p50", METRIC_PERCENTILE, 50 },
    { "p90", METRIC_PERCENTILE, 90 },
    { "p95", METRIC_PERCENTILE, 95 },
    { "p99", METRIC_PERCENTILE, 99 },
    { "p99.9", METRIC_PERCENTILE, 99.9 },
    { "p99.99", METRIC_PERCENTILE, 99.99 },
    { "max", METRIC_MAX, 0 },
    { "mean", METRIC_MEAN, 0 },
    { "rate", METRIC_RATE, 0 },
    { "connections", METRIC_CONNECTIONS, 0 },
    { "errors", METRIC_ERRORS, 0 },
};

/* The longer operators first: one may begin with another. */
static const struct {
    const char *text;
    enum comparison comparison;
} comparisons[] = {
    { "<=", LESS_EQUAL }, { ">=", GREATER_EQUAL }, { "==", EQUAL }, { "<", LESS }, { ">", GREATER },
};

static int find_metric(const char *name, size_t n, struct assertion *a)
{
    for (size_t i = 0; i < ARRAY_SIZE(metrics); i++)
        if (strlen(metrics[i].name) == n && memcmp(metrics[i].name, name, n) == 0) {
            a->metric = metrics[i].metric;
            a->percentile = metrics[i].percentile;
            return 0;
        }
    return -EINVAL;
}

static int find_comparison(const char **p, struct assertion *a)
{
    for (size_t i = 0; i < ARRAY_SIZE(comparisons); i++) {
        size_t n = strlen(comparisons[i].text);

        if (strncmp(*p, comparisons[i].text, n) == 0) {
            a->comparison = comparisons[i].comparison;
            *p += n;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_value(const char *text, struct assertion *a, const char **ret_error)
{
    uint64_t value;

    if (assertion_is_time(a)) {
        *ret_error = "a time such as 500us, 5ms or 1s must follow";
        if (text[strspn(text, "0123456789.")] == '\0' || parse_span(text, &value) < 0 ||
            value == SPAN_INFINITY)
            return -EINVAL;
        a->value = (double)value * 1000;
        return 0;
    }
    *ret_error = "a number must follow";
    if (parse_u64(text, &value) < 0)
        return -EINVAL;
    a->value = (double)value;
    return 0;
}

int assertion_parse(const char *text, struct assertion *ret, const char **ret_error)
{
    struct assertion a = { .text = text };
    const char *p = text + strspn(text, " ");
    size_t n = strcspn(p, " <>=");
    int r;

    if (find_metric(p, n, &a) < 0) {
        *ret_error = "the metrics are p50 p90 p95 p99 p99.9 p99.99 max mean rate connections "
                     "errors";
        return -EINVAL;
    }
    p += n;
    p += strspn(p, " ");
    if (find_comparison(&p, &a) < 0) {
        *ret_error = "one of < <= > >= == must follow the metric";
        return -EINVAL;
    }
    r = parse_value(p + strspn(p, " "), &a, ret_error);
    if (r < 0)
        return r;
    *ret = a;
    return 0;
}

bool assertion_is_time(const struct assertion *a)
{
    return a->metric == METRIC_PERCENTILE || a->metric == METRIC_MAX || a->metric == METRIC_MEAN;
}

bool assertion_holds(const struct assertion *a, double actual)
{
    switch (a->comparison) {
    case LESS:
        return actual < a->value;
    case LESS_EQUAL:
        return actual <= a->value;
    case GREATER:
        return actual > a->value;
    case GREATER_EQUAL:
        return actual >= a->value;
    case EQUAL:
        return actual >= a->value && actual <= a->value;
    }
    return false;
}
