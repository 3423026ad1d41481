/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "base/macros.h"
#include "random.h"
#include "runner.h"

static struct histogram one, two, three;

static void reset(void)
{
    memset(&one, 0, sizeof one);
    memset(&two, 0, sizeof two);
    memset(&three, 0, sizeof three);
}

START_TEST(every_bucket_holds_its_own_range)
{
    uint64_t next = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t low = histogram_lowest(i), high = histogram_highest(i);

        ck_assert_uint_eq(low, next);
        ck_assert_uint_ge(high, low);
        ck_assert_uint_eq(histogram_index(low), i);
        ck_assert_uint_eq(histogram_index(high), i);
        /* Three significant digits. */
        ck_assert_uint_le(high - low, low / 1000);
        next = high + 1;
    }
    ck_assert_uint_eq(next, HISTOGRAM_MAX + 1);
}
END_TEST

START_TEST(too_large_values_count_as_the_largest)
{
    reset();
    histogram_record(&one, UINT64_MAX);
    histogram_record(&one, HISTOGRAM_MAX + 1);
    ck_assert_uint_eq(histogram_total(&one), 2);
    ck_assert_uint_eq(one.counts[HISTOGRAM_BUCKETS - 1], 2);
    ck_assert_uint_eq(one.max, UINT64_MAX);
    ck_assert_uint_eq(histogram_percentile(&one, 100), UINT64_MAX);
}
END_TEST

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

#define VALUES 20000

START_TEST(percentiles_are_those_of_the_sorted_values)
{
    static const double percentiles[] = { 0, 1, 25, 50, 90, 95, 99, 99.9, 99.99, 100 };
    static uint64_t values[VALUES];
    uint64_t random = (uint64_t)_i + 1;

    reset();
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = random_magnitude(&random, HISTOGRAM_BITS);
        histogram_record(&one, values[i]);
    }
    qsort(values, VALUES, sizeof *values, compare);
    ck_assert_uint_eq(histogram_total(&one), VALUES);
    for (size_t i = 0; i < ARRAY_SIZE(percentiles); i++) {
        double rank = ceil(percentiles[i] / 100 * VALUES - 1e-6);
        uint64_t exact = values[rank < 1 ? 0 : (size_t)rank - 1];
        uint64_t got = histogram_percentile(&one, percentiles[i]);

        ck_assert_uint_ge(got, exact);
        ck_assert_uint_le(got - exact, exact / 1000 + 1);
    }
    ck_assert_uint_eq(histogram_percentile(&one, 100), values[VALUES - 1]);
}
END_TEST

START_TEST(small_counts_have_exact_percentiles)
{
    reset();
    for (uint64_t i = 1; i <= 1000; i++)
        histogram_record(&one, i);
    ck_assert_uint_eq(histogram_percentile(&one, 50), 500);
    ck_assert_uint_eq(histogram_percentile(&one, 99), 990);
    ck_assert_uint_eq(histogram_percentile(&one, 99.9), 999);
    ck_assert_uint_eq(histogram_percentile(&one, 99.99), 1000);
    ck_assert_uint_eq(histogram_percentile(&one, 0), 1);
    ck_assert_double_eq_tol(histogram_mean(&one), 500.5, 1e-9);
    ck_assert_double_eq_tol(histogram_deviation(&one), sqrt((1000.0 * 1000 - 1) / 12), 1e-6);
}
END_TEST

START_TEST(an_empty_one_is_all_zero)
{
    reset();
    ck_assert_uint_eq(histogram_total(&one), 0);
    ck_assert_uint_eq(histogram_percentile(&one, 99), 0);
    ck_assert_double_eq(histogram_mean(&one), 0);
    ck_assert_double_eq(histogram_deviation(&one), 0);
}
END_TEST

START_TEST(merging_is_as_recording_into_one)
{
    uint64_t random = 7;

    reset();
    for (size_t i = 0; i < VALUES; i++) {
        uint64_t ns = random_magnitude(&random, HISTOGRAM_BITS);

        histogram_record(i % 3 ? &one : &two, ns);
        histogram_record(&three, ns);
    }
    histogram_add(&one, &two);
    ck_assert_mem_eq(&one, &three, sizeof one);
}
END_TEST

START_TEST(a_difference_is_what_came_between)
{
    static struct histogram between;

    reset();
    histogram_record(&one, 100);
    histogram_record(&one, 5000000);
    two = one;
    histogram_record(&one, 100);
    histogram_record(&one, 2000);
    histogram_difference(&one, &two, &between);
    ck_assert_uint_eq(histogram_total(&between), 2);
    ck_assert_uint_eq(between.counts[histogram_index(100)], 1);
    ck_assert_uint_eq(between.max, 2000);

    /* A new maximum is exact. */
    two = one;
    histogram_record(&one, 6000001);
    histogram_difference(&one, &two, &between);
    ck_assert_uint_eq(between.max, 6000001);
    ck_assert_uint_eq(histogram_percentile(&between, 50), 6000001);
}
END_TEST

/* The form that HdrHistogram's tools read: a heading, lines of four columns, the last of three, and
 * three lines of summary. */
START_TEST(the_text_is_hdr_histograms)
{
    _cleanup_free_ char *text = NULL;
    char *line, *rest;
    size_t size, lines = 0;
    FILE *f = open_memstream(&text, &size);
    double previous = -1;

    reset();
    for (uint64_t i = 1; i <= 1000; i++)
        histogram_record(&one, i * 1000000);
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(histogram_write(&one, f), 0);
    ck_assert_int_eq(fclose(f), 0);

    line = strtok_r(text, "\n", &rest);
    ck_assert_str_eq(line, "       Value     Percentile TotalCount 1/(1-Percentile)");
    while ((line = strtok_r(NULL, "\n", &rest)) && line[0] != '#') {
        double value, percentile, inverse = 0;
        unsigned long count;
        int n = sscanf(line, "%lf %lf %lu %lf", &value, &percentile, &count, &inverse);

        ck_assert_int_eq(n, percentile < 1 ? 4 : 3);
        ck_assert(percentile > previous);
        ck_assert_double_eq_tol((double)count, value, value / 1000 + 1);
        ck_assert_double_ge((double)count, percentile * 1000 - 1e-6);
        if (n == 4)
            ck_assert_double_eq_tol(inverse, 1 / (1 - percentile), inverse / 100);
        previous = percentile;
        lines++;
    }
    ck_assert_uint_gt(lines, 40);
    ck_assert_double_eq(previous, 1);
    ck_assert_str_eq(line, "#[Mean    =      500.500, StdDeviation   =      288.675]");
    line = strtok_r(NULL, "\n", &rest);
    ck_assert_str_eq(line, "#[Max     =     1000.000, Total count    =         1000]");
    line = strtok_r(NULL, "\n", &rest);
    ck_assert_str_eq(line, "#[Buckets =           32, SubBuckets     =         2048]");
    ck_assert_ptr_null(strtok_r(NULL, "\n", &rest));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("histogram");
    TCase *cases = tcase_create("histogram");

    tcase_add_test(cases, every_bucket_holds_its_own_range);
    tcase_add_test(cases, too_large_values_count_as_the_largest);
    tcase_add_loop_test(cases, percentiles_are_those_of_the_sorted_values, 0, 20);
    tcase_add_test(cases, small_counts_have_exact_percentiles);
    tcase_add_test(cases, an_empty_one_is_all_zero);
    tcase_add_test(cases, merging_is_as_recording_into_one);
    tcase_add_test(cases, a_difference_is_what_came_between);
    tcase_add_test(cases, the_text_is_hdr_histograms);
    suite_add_tcase(suite, cases);
    return suite;
}
