/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "ask-bench/assertions.h"
#include "base/macros.h"
#include "runner.h"

static const struct {
    const char *text;
    enum metric metric;
    double percentile;
    enum comparison comparison;
    double value;
} good[] = {
    { "p50<5ms", METRIC_PERCENTILE, 50, LESS, 5e6 },
    { "p90<=1s", METRIC_PERCENTILE, 90, LESS_EQUAL, 1e9 },
    { "p95>1us", METRIC_PERCENTILE, 95, GREATER, 1e3 },
    { "p99>=1min", METRIC_PERCENTILE, 99, GREATER_EQUAL, 60e9 },
    { "p99.9<5ms", METRIC_PERCENTILE, 99.9, LESS, 5e6 },
    { "p99.99<1.5ms", METRIC_PERCENTILE, 99.99, LESS, 1.5e6 },
    { "max<1s", METRIC_MAX, 0, LESS, 1e9 },
    { "mean < 250us", METRIC_MEAN, 0, LESS, 250e3 },
    { "rate>=50000", METRIC_RATE, 0, GREATER_EQUAL, 50000 },
    { "connections==1000000", METRIC_CONNECTIONS, 0, EQUAL, 1000000 },
    { " errors == 0", METRIC_ERRORS, 0, EQUAL, 0 },
};

START_TEST(good_ones)
{
    const char *error = NULL;
    struct assertion a;

    ck_assert_int_eq(assertion_parse(good[_i].text, &a, &error), 0);
    ck_assert_ptr_eq(a.text, good[_i].text);
    ck_assert_int_eq(a.metric, good[_i].metric);
    ck_assert_double_eq(a.percentile, good[_i].percentile);
    ck_assert_int_eq(a.comparison, good[_i].comparison);
    ck_assert_double_eq(a.value, good[_i].value);
}
END_TEST

static const char *const bad[] = {
    "",          "p99",      "p99<",     "p99=5ms",    "p99!=5ms",     "p98<5ms",    "p<5ms",
    "p99<5",     "p99<5.5",  "p99<fast", "p99<-5ms",   "p99<infinity", "rate>5ms",   "rate>1.5",
    "rate>-1",   "errors==", "errors=0", "errors==0 ", "Errors==0",    "errors==0x", "<5ms",
    "p99<5ms<6", "p99 5ms",  "p99<<5ms", "p99<>5ms",   "errors===0",   "p99.999<1s",
};

START_TEST(bad_ones)
{
    const char *error = NULL;
    struct assertion a = { .value = 42 };

    ck_assert_int_eq(assertion_parse(bad[_i], &a, &error), -EINVAL);
    ck_assert_ptr_nonnull(error);
    ck_assert_double_eq(a.value, 42);
}
END_TEST

START_TEST(comparisons)
{
    static const struct {
        const char *text;
        bool below, at, above; /* whether it holds for 9, 10 and 11 */
    } all[] = {
        { "errors<10", true, false, false },  { "errors<=10", true, true, false },
        { "errors>10", false, false, true },  { "errors>=10", false, true, true },
        { "errors==10", false, true, false },
    };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        const char *error;
        struct assertion a;

        ck_assert_int_eq(assertion_parse(all[i].text, &a, &error), 0);
        ck_assert_int_eq(assertion_holds(&a, 9), all[i].below);
        ck_assert_int_eq(assertion_holds(&a, 10), all[i].at);
        ck_assert_int_eq(assertion_holds(&a, 11), all[i].above);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("bench-assertions");
    TCase *cases = tcase_create("bench-assertions");

    tcase_add_loop_test(cases, good_ones, 0, (int)ARRAY_SIZE(good));
    tcase_add_loop_test(cases, bad_ones, 0, (int)ARRAY_SIZE(bad));
    tcase_add_test(cases, comparisons);
    suite_add_tcase(suite, cases);
    return suite;
}
