/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/parse.h"
#include "random.h"
#include "runner.h"

#define S UINT64_C(1000000)

struct example {
    const char *text;
    int r;
    uint64_t value;
};

static void check(int (*parse)(const char *, uint64_t *), const struct example *examples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct example *e = &examples[i];
        uint64_t value = 4711;
        int r = parse(e->text, &value);

        ck_assert_msg(r == e->r, "\"%s\" gave %d, not %d", e->text, r, e->r);
        ck_assert_msg(value == (r == 0 ? e->value : 4711), "\"%s\" gave %" PRIu64, e->text, value);
    }
}

START_TEST(parses_numbers)
{
    const struct example examples[] = {
        { "0", 0, 0 },
        { "7", 0, 7 },
        { "007", 0, 7 },
        { "18446744073709551615", 0, UINT64_MAX },
        { "18446744073709551616", -ERANGE, 0 },
        { "18446744073709551620", -ERANGE, 0 },
        { "99999999999999999999999999999999", -ERANGE, 0 },
        { "99999999999999999999999999999999x", -EINVAL, 0 },
        { "", -EINVAL, 0 },
        { " 7", -EINVAL, 0 },
        { "7 ", -EINVAL, 0 },
        { "+7", -EINVAL, 0 },
        { "-7", -EINVAL, 0 },
        { "7K", -EINVAL, 0 },
        { "0x7", -EINVAL, 0 },
        { "1.5", -EINVAL, 0 },
        { "seven", -EINVAL, 0 },
        { "\xd9\xa7", -EINVAL, 0 }, /* ARABIC-INDIC DIGIT SEVEN */
    };

    check(parse_u64, examples, ARRAY_SIZE(examples));
}
END_TEST

START_TEST(parses_sizes)
{
    const struct example examples[] = {
        { "0", 0, 0 },
        { "1000", 0, 1000 },
        { "64K", 0, 65536 },
        { "3M", 0, 3 * 1024 * 1024 },
        { "2G", 0, UINT64_C(2) << 30 },
        { "17179869183G", 0, UINT64_C(17179869183) << 30 },
        { "17179869184G", -ERANGE, 0 },
        { "18446744073709551615", 0, UINT64_MAX },
        { "18446744073709551616", -ERANGE, 0 },
        { "18446744073709551616K", -ERANGE, 0 },
        { "18446744073709551616T", -EINVAL, 0 },
        { "", -EINVAL, 0 },
        { "K", -EINVAL, 0 },
        { "1k", 0, 1024 },
        { "3m", 0, 3 << 20 },
        { "2g", 0, UINT64_C(2) << 30 },
        { "1t", -EINVAL, 0 },
        { "1T", -EINVAL, 0 },
        { "1KB", -EINVAL, 0 },
        { "1 K", -EINVAL, 0 },
        { " 1K", -EINVAL, 0 },
        { "1K ", -EINVAL, 0 },
        { "-1K", -EINVAL, 0 },
        { "1.5K", -EINVAL, 0 },
    };

    check(parse_size, examples, ARRAY_SIZE(examples));
}
END_TEST

START_TEST(parses_spans)
{
    const struct example examples[] = {
        { "0", 0, 0 },
        { "5", 0, 5 * S },
        { "1us", 0, 1 },
        { "1usec", 0, 1 },
        { "1µs", 0, 1 },
        { "500ms", 0, 500000 },
        { "500msec", 0, 500000 },
        { "30s", 0, 30 * S },
        { "30 s", 0, 30 * S },
        { "30sec", 0, 30 * S },
        { "30second", 0, 30 * S },
        { "30seconds", 0, 30 * S },
        { "2m", 0, 120 * S },
        { "2min", 0, 120 * S },
        { "2minute", 0, 120 * S },
        { "2minutes", 0, 120 * S },
        { "1h", 0, 3600 * S },
        { "1hr", 0, 3600 * S },
        { "1hour", 0, 3600 * S },
        { "2hours", 0, 7200 * S },
        { "1d", 0, 86400 * S },
        { "1day", 0, 86400 * S },
        { "2days", 0, 172800 * S },
        { "1w", 0, 604800 * S },
        { "1week", 0, 604800 * S },
        { "2weeks", 0, 1209600 * S },
        { "1M", 0, 2629800 * S },
        { "1month", 0, 2629800 * S },
        { "2months", 0, 5259600 * S },
        { "1y", 0, 31557600 * S },
        { "1year", 0, 31557600 * S },
        { "2years", 0, 63115200 * S },
        { "1min 30s", 0, 90 * S },
        { "1min30s", 0, 90 * S },
        { "1h 1min 1s 1ms 1us", 0, 3661001001 },
        { "1.5s", 0, 1500000 },
        { "1.5", 0, 1500000 },
        { "0.25min", 0, 15 * S },
        { "0.000001s", 0, 1 },
        { "0.0000019s", 0, 1 },
        { "1.999us", 0, 1 },
        { "1.5 h", 0, 5400 * S },
        { "infinity", 0, SPAN_INFINITY },
        { "18446744073709s", 0, 18446744073709 * S },
        { "18446744073709.551614s", 0, UINT64_MAX - 1 },
        { "18446744073709.551615s", -ERANGE, 0 },
        { "18446744073709.9s", -ERANGE, 0 },
        { "18446744073709551615us", -ERANGE, 0 },
        { "18446744073709551614us 1us", -ERANGE, 0 },
        { "18446744073710s", -ERANGE, 0 },
        { "584555years", -ERANGE, 0 },
        { "99999999999999999999s", -ERANGE, 0 },
        { "99999999999999999999", -ERANGE, 0 },
        { "99999999999999999999x", -EINVAL, 0 },
        { "", -EINVAL, 0 },
        { " ", -EINVAL, 0 },
        { "s", -EINVAL, 0 },
        { " 5s", -EINVAL, 0 },
        { "5s ", -EINVAL, 0 },
        { "5 ", -EINVAL, 0 },
        { "5  ", -EINVAL, 0 },
        { "-5s", -EINVAL, 0 },
        { "+5s", -EINVAL, 0 },
        { "5.", -EINVAL, 0 },
        { "5.s", -EINVAL, 0 },
        { ".5s", -EINVAL, 0 },
        { "5..5s", -EINVAL, 0 },
        { "1.2.3s", -EINVAL, 0 },
        { "5x", -EINVAL, 0 },
        { "5S", -EINVAL, 0 },
        { "5 seconds ago", -EINVAL, 0 },
        { "5sec,", -EINVAL, 0 },
        { "infinity ", -EINVAL, 0 },
        { "Infinity", -EINVAL, 0 },
        { "1s infinity", -EINVAL, 0 },
        { "1e3s", -EINVAL, 0 },
        { "5\ts", -EINVAL, 0 },
    };

    check(parse_span, examples, ARRAY_SIZE(examples));
}
END_TEST

START_TEST(formats_spans)
{
    const struct {
        uint64_t us;
        const char *text;
    } examples[] = {
        { 0, "0" },
        { 1, "1us" },
        { 1500, "1500us" },
        { 500000, "500ms" },
        { 1500000, "1500ms" },
        { 30 * S, "30s" },
        { 90 * S, "90s" },
        { 300 * S, "5min" },
        { 7200 * S, "2h" },
        { 86400 * S, "1d" },
        { 604800 * S, "7d" },
        { UINT64_MAX - 1, "18446744073709551614us" },
        { SPAN_INFINITY, "infinity" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        char text[SPAN_TEXT_MAX];

        ck_assert_str_eq(format_span(examples[i].us, text), examples[i].text);
    }
}
END_TEST

START_TEST(spans_survive_the_round_trip)
{
    const uint64_t units[] = { 1, 1000, S, 60 * S, 3600 * S, 86400 * S };
    uint64_t random = 2;

    for (int i = 0; i < 100000; i++) {
        uint64_t us = random_magnitude(&random, 40) * units[random_below(&random, 6)], back = 0;
        char text[SPAN_TEXT_MAX];

        if (parse_span(format_span(us, text), &back) < 0 || back != us)
            ck_abort_msg("%" PRIu64 " us became %s became %" PRIu64, us, text, back);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("parse");
    TCase *cases = tcase_create("parse");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, parses_numbers);
    tcase_add_test(cases, parses_sizes);
    tcase_add_test(cases, parses_spans);
    tcase_add_test(cases, formats_spans);
    tcase_add_test(cases, spans_survive_the_round_trip);
    suite_add_tcase(suite, cases);
    return suite;
}
