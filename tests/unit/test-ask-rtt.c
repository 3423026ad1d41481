/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdint.h>

#include "ask/rtt.h"
#include "runner.h"

START_TEST(nothing)
{
    static struct rtt r;

    ck_assert_uint_eq(rtt_percentile(&r, 50), 0);
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
    ck_assert_uint_eq(r.max, 100);
    ck_assert_double_eq_tol(r.mean, 50.5, 1e-9);
    ck_assert_double_eq_tol(rtt_deviation(&r), 28.866070, 1e-6);
    ck_assert_uint_eq(rtt_percentile(&r, 0), 1);
    ck_assert_uint_eq(rtt_percentile(&r, 1), 1);
    ck_assert_uint_eq(rtt_percentile(&r, 50), 50);
    ck_assert_uint_eq(rtt_percentile(&r, 99), 99);
    ck_assert_uint_eq(rtt_percentile(&r, 99.9), 100);
    ck_assert_uint_eq(rtt_percentile(&r, 100), 100);
}
END_TEST

/* A bucket's end is never below what is in it, and never 1 % above. */
static void check_alone(uint64_t us)
{
    static struct rtt r;
    uint64_t shown;

    r = (struct rtt){ 0 };
    rtt_add(&r, us);
    r.max = UINT64_MAX; /* so that it does not hide the bucket's end */
    shown = rtt_percentile(&r, 50);
    ck_assert_uint_ge(shown, us);
    ck_assert_uint_le(shown - us, us / 100);
}

START_TEST(within_one_percent)
{
    for (uint64_t us = 0; us < 4096; us++)
        check_alone(us);
    for (int bit = 12; bit < 64; bit++) {
        check_alone((UINT64_C(1) << bit) - 1);
        check_alone(UINT64_C(1) << bit);
        check_alone((UINT64_C(1) << bit) + 12345 % (UINT64_C(1) << bit));
    }
    check_alone(UINT64_MAX);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("ask-rtt");
    TCase *cases = tcase_create("ask-rtt");

    tcase_add_test(cases, nothing);
    tcase_add_test(cases, one_to_a_hundred);
    tcase_add_test(cases, within_one_percent);
    suite_add_tcase(suite, cases);
    return suite;
}
