/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "base/format.h"
#include "random.h"
#include "runner.h"

static void check(uint64_t value)
{
    char text[FORMAT_U64_MAX + 1], expected[FORMAT_U64_MAX + 1];
    size_t n = format_u64(value, text);

    text[n] = '\0';
    (void)snprintf(expected, sizeof expected, "%" PRIu64, value);
    ck_assert_str_eq(text, expected);
}

START_TEST(formats_as_printf_does)
{
    uint64_t state = 1;

    for (uint64_t value = 0; value < 100000; value++)
        check(value);
    for (uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10)
        for (uint64_t value = power - 1; value <= power + 1; value++)
            check(value);
    for (unsigned i = 0; i < 100000; i++)
        check(random_magnitude(&state, 63));
    check(UINT64_MAX);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("format");
    TCase *c = tcase_create("format");

    tcase_add_test(c, formats_as_printf_does);
    suite_add_tcase(suite, c);
    return suite;
}
