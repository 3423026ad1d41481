/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdint.h>

#include "ask/rtt.h"
#include "runner.h"

#define PERCENTILE(r, percent) histogram_percentile(&(r)->times, percent)

START_TEST(nothing)
{
    static struct rtt r;

    ck_assert_uint_eq(PERCENTILE(&r, 50), 0);
    ck_assert_double_eq(rtt_deviation(&r), 0);
}
END_TEST

START_TEST(one_to_a_hundred)
{
    static struct rtt r;

    for (uint64_t us = 100; us > 0; us--)
        rtt_add(&r, us);
    ck_assert_uint_eq(r.count, 100);
    ck_assert_uint_eq(r.min, 1);
    ck_assert_uint_eq(r.times.max, 100);
    ck_assert_double_eq_tol(r.mean, 50.5, 1e-9);
    ck_assert_double_eq_tol(rtt_deviation(&r), 28.866070, 1e-6);
    ck_assert_uint_eq(PERCENTILE(&r, 0), 1);
    ck_assert_uint_eq(PERCENTILE(&r, 1), 1);
    ck_assert_uint_eq(PERCENTILE(&r, 50), 50);
    ck_assert_uint_eq(PERCENTILE(&r, 99), 99);
    ck_assert_uint_eq(PERCENTILE(&r, 99.9), 100);
    ck_assert_uint_eq(PERCENTILE(&r, 100), 100);
}
END_TEST

/* What most do not exceed is not the longest: 99.9 % of a thousand are 999 of them. */
START_TEST(one_in_a_thousand)
{
    static struct rtt r;

    for (unsigned thousands = 1; thousands <= 100; thousands++) {
        for (unsigned i = 0; i < 999; i++)
            rtt_add(&r, 100);
        rtt_add(&r, 5000000);
        ck_assert_uint_eq(PERCENTILE(&r, 99.9), 100);
        ck_assert_uint_eq(PERCENTILE(&r, 100), 5000000);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("ask-rtt");
    TCase *cases = tcase_create("ask-rtt");

    tcase_add_test(cases, nothing);
    tcase_add_test(cases, one_to_a_hundred);
    tcase_add_test(cases, one_in_a_thousand);
    suite_add_tcase(suite, cases);
    return suite;
}
