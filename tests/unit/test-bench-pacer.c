/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdint.h>

#include "ask-bench/pacer.h"
#include "runner.h"

#define SECOND UINT64_C(1000000000)

START_TEST(times_follow_from_the_number)
{
    struct pacer p = { .start_ns = 5, .rate = 1000, .stride = 1 };

    ck_assert_uint_eq(pacer_due(&p, 0), 5);
    ck_assert_uint_eq(pacer_due(&p, 1), 5 + SECOND / 1000);
    ck_assert_uint_eq(pacer_due(&p, 1000), 5 + SECOND);
}
END_TEST

/* 3 a second do not come out even: the error must not add up. */
START_TEST(no_error_adds_up)
{
    struct pacer p = { .rate = 3, .stride = 1 };

    ck_assert_uint_eq(pacer_due(&p, 1), 333333333);
    ck_assert_uint_eq(pacer_due(&p, 2), 666666666);
    for (uint64_t s = 1; s < 1000000; s *= 7)
        ck_assert_uint_eq(pacer_due(&p, 3 * s), s * SECOND);
}
END_TEST

/* A rate of a billion for years, which 64 bits of product would not hold. */
START_TEST(large_numbers_do_not_overflow)
{
    struct pacer p = { .rate = 1000000000, .stride = 1 };
    uint64_t number = UINT64_C(100000000000000000);

    ck_assert_uint_eq(pacer_due(&p, number), number);
    p.rate = 7;
    ck_assert_uint_eq(pacer_due(&p, 7 * UINT64_C(1000000000)), SECOND * UINT64_C(1000000000));
}
END_TEST

/* What several workers send together is what one would. */
START_TEST(workers_interleave)
{
    struct pacer all = { .start_ns = 17, .rate = 12345, .stride = 1 };

    for (uint64_t i = 0; i < 10000; i++) {
        struct pacer part = { .start_ns = 17, .rate = 12345, .stride = 3, .offset = i % 3 };

        ck_assert_uint_eq(pacer_due(&part, i / 3), pacer_due(&all, i));
    }
}
END_TEST

START_TEST(shares_add_up)
{
    for (uint64_t total = 0; total < 50; total++)
        for (uint64_t parts = 1; parts < 9; parts++) {
            uint64_t sum = 0;

            for (uint64_t i = 0; i < parts; i++) {
                uint64_t n = share(total, parts, i);

                ck_assert_uint_ge(n, total / parts);
                ck_assert_uint_le(n, total / parts + 1);
                sum += n;
            }
            ck_assert_uint_eq(sum, total);
        }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("bench-pacer");
    TCase *cases = tcase_create("bench-pacer");

    tcase_add_test(cases, times_follow_from_the_number);
    tcase_add_test(cases, no_error_adds_up);
    tcase_add_test(cases, large_numbers_do_not_overflow);
    tcase_add_test(cases, workers_interleave);
    tcase_add_test(cases, shares_add_up);
    suite_add_tcase(suite, cases);
    return suite;
}
