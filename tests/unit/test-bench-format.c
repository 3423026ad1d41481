/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ask-bench/chart.h"
#include "ask-bench/format.h"
#include "base/macros.h"
#include "runner.h"

START_TEST(times)
{
    static const struct {
        double ns;
        const char *text;
    } all[] = {
        { 0, "0 ns" },          { 999, "999 ns" },    { 999.6, "1.00 µs" },  { 1234, "1.23 µs" },
        { 12345, "12.3 µs" },   { 123456, "123 µs" }, { 999600, "1.00 ms" }, { 9.99e6, "9.99 ms" },
        { 9.996e6, "10.0 ms" }, { 1.05e9, "1.05 s" }, { 61e9, "61.0 s" },    { 4400e9, "4400 s" },
    };
    char text[FORMAT_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        ck_assert_str_eq(format_time(all[i].ns, text), all[i].text);
    ck_assert_str_eq(format_round_time(5e6, text), "5 ms");
    ck_assert_str_eq(format_round_time(2e10, text), "20 s");
}
END_TEST

START_TEST(counts_and_bytes)
{
    char text[FORMAT_MAX];

    ck_assert_str_eq(format_count(0, text), "0");
    ck_assert_str_eq(format_count(999, text), "999");
    ck_assert_str_eq(format_count(999.6, text), "1,000");
    ck_assert_str_eq(format_count(123456, text), "123,456");
    ck_assert_str_eq(format_count(1234567890, text), "1,234,567,890");
    ck_assert_str_eq(format_bytes(0, text), "0 B");
    ck_assert_str_eq(format_bytes(1023, text), "1023 B");
    ck_assert_str_eq(format_bytes(1024, text), "1.00 KiB");
    ck_assert_str_eq(format_bytes(5.5 * 1024 * 1024, text), "5.50 MiB");
}
END_TEST

static void check_ticks(const struct axis *a, size_t wanted, const double *expected, size_t n)
{
    double ticks[16];

    ck_assert_uint_eq(axis_ticks(a, wanted, ticks, ARRAY_SIZE(ticks)), n);
    for (size_t i = 0; i < n; i++)
        ck_assert_double_eq_tol(ticks[i], expected[i], (expected[i] + 1) * 1e-9);
}

START_TEST(axes_hold_their_values)
{
    struct axis a = axis_linear(48312);

    ck_assert_double_eq(a.low, 0);
    ck_assert_double_eq(a.high, 60000);
    check_ticks(&a, 5, (double[]){ 0, 20000, 40000, 60000 }, 4);
    ck_assert_double_eq(axis_linear(100).high, 100);
    ck_assert_double_gt(axis_linear(0).high, 0);

    a = axis_logarithmic(33e3, 1.2e6);
    ck_assert_double_eq_tol(a.low, 20e3, 1e-3);
    ck_assert_double_eq_tol(a.high, 2e6, 1e-3);
    check_ticks(&a, 8, (double[]){ 20e3, 50e3, 100e3, 200e3, 500e3, 1e6, 2e6 }, 7);

    /* One value alone still has an axis around it. */
    a = axis_logarithmic(1000, 1000);
    ck_assert_double_ge(a.high, a.low * 10);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("bench-format");
    TCase *cases = tcase_create("bench-format");

    tcase_add_test(cases, times);
    tcase_add_test(cases, counts_and_bytes);
    tcase_add_test(cases, axes_hold_their_values);
    suite_add_tcase(suite, cases);
    return suite;
}
