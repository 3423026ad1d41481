/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "answerlog/when.h"
#include "base/macros.h"
#include "runner.h"

/* 2026-11-26 12:34:56.789 UTC */
#define NOW    UINT64_C(1795696496789000)
#define SECOND UINT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
#define TODAY  UINT64_C(1795651200000000) /* midnight, UTC */

static void set_zone(const char *zone)
{
    (void)setenv("TZ", zone, 1);
    tzset();
}

static void check(const char *text, uint64_t us)
{
    uint64_t got = 1;

    ck_assert_msg(when_parse(text, NOW, &got) == 0, "%s", text);
    ck_assert_msg(got == us, "%s: %llu", text, (unsigned long long)got);
}

START_TEST(times_in_utc)
{
    set_zone("UTC");
    check("now", NOW);
    check("today", TODAY);
    check("yesterday", TODAY - DAY);
    check("tomorrow", TODAY + DAY);
    check("-1h", NOW - HOUR);
    check("+1h", NOW + HOUR);
    check("1h ago", NOW - HOUR);
    check("1 hour ago", NOW - HOUR);
    check("1h 30min ago", NOW - HOUR - HOUR / 2);
    check("-0", NOW);
    check("@0", 0);
    check("@1795696496.789", NOW);
    check("2026-11-26", TODAY);
    check("2026-11-26 12:34", TODAY + 12 * HOUR + 34 * 60 * SECOND);
    check("2026-11-26 12:34:56", TODAY + 12 * HOUR + (34 * 60 + 56) * SECOND);
    check("2026-11-26 12:34:56.789", NOW);
    check("2026-11-26T12:34:56.789000Z", NOW);
    check("2026-11-26 12:34:56.7890009 UTC", NOW);
    check("2026-11-26T13:34:56.789+0100", NOW);
    check("2026-11-26 07:04:56.789 -05:30", NOW);
    check("12:34", TODAY + 12 * HOUR + 34 * 60 * SECOND);
    check("2024-02-29", UINT64_C(1709164800000000));
}
END_TEST

START_TEST(times_are_local)
{
    set_zone("Europe/Berlin");
    check("2026-11-26 13:34:56.789", NOW);
    check("13:34:56", NOW - 789000);
    check("2026-11-26 12:34:56.789Z", NOW);
    check("today", TODAY - HOUR);
    /* In summer it is two hours. */
    check("2026-07-01 02:00", UINT64_C(1782864000000000));
    /* A day of 25 hours lies between. */
    check("2026-10-25", UINT64_C(1792879200000000));
    check("2026-10-26", UINT64_C(1792879200000000) + 25 * HOUR);
}
END_TEST

START_TEST(what_is_no_time)
{
    static const char *const texts[] = {
        "",
        " ",
        "soon",
        "1h",
        "ago",
        " ago",
        "-",
        "+",
        "-soon",
        "@",
        "@-1",
        "@1.",
        "@1x",
        "@99999999999999999999",
        "-infinity",
        "+infinity",
        "-100year",
        "2026",
        "2026-11",
        "2026-13-01",
        "2026-00-01",
        "2026-11-31",
        "2026-02-29",
        "1969-12-31",
        "2026-11-26 ",
        "2026-11-26 12",
        "2026-11-26 24:00",
        "2026-11-26 12:60",
        "2026-11-26 12:00:61",
        "2026-11-26 12:00 CET",
        "2026-11-26 12:00+1",
        "2026-11-26 12:00+9900",
        "2026-11-26-12:00",
        "26.11.2026",
        "12:00:00:00",
    };
    uint64_t us = 7;

    set_zone("UTC");
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        ck_assert_msg(when_parse(texts[i], NOW, &us) == -EINVAL, "%s", texts[i]);
    ck_assert_uint_eq(us, 7);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("answerlog-when");
    TCase *c = tcase_create("answerlog-when");

    tcase_add_test(c, times_in_utc);
    tcase_add_test(c, times_are_local);
    tcase_add_test(c, what_is_no_time);
    suite_add_tcase(suite, c);
    return suite;
}
