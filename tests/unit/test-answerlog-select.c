/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "answerlog/options.h"
#include "base/macros.h"
#include "runner.h"

static struct select s;

static void setup(void)
{
    select_init(&s);
}

static void teardown(void)
{
    select_deinit(&s);
}

static struct log_item item(const char *message, size_t size)
{
    return (struct log_item){
        .number = 1,
        .time_us = 1000,
        .record = {
            .data = (const uint8_t *)message,
            .size = size,
            .id = "0123456789abcdef-7-3",
            .peer = "2001:db8::1",
            .peer_port = "4711",
            .peer_name = "[2001:db8::1]:4711",
            .listener = "default",
            .connection = 7,
            .seq = 3,
        },
    };
}

static bool matches(void)
{
    struct log_item i = item("hello\0world", 11);

    return select_matches(&s, &i);
}

START_TEST(nothing_given_matches_all)
{
    ck_assert(!select_is_given(&s));
    ck_assert(matches());
}
END_TEST

START_TEST(ids)
{
    static const char *const wrong[] = {
        "",
        "7",
        "0123456789abcdef",
        "0123456789abcdef-7",
        "0123456789abcdef-7-",
        "0123456789abcdef--3",
        "0123456789ABCDEF-7-3",
        "0123456789abcde-7-3",
        "0123456789abcdef-7-3x",
        "0123456789abcdef-99999999999999999999999999999999999-3",
        "0123456789abcdef_7-3",
    };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        ck_assert_msg(select_id(&s, wrong[i]) == -EINVAL, "%s", wrong[i]);
    ck_assert_int_eq(select_id(&s, "0123456789abcdef-7-3"), 0);
    ck_assert(s.scope.by_connection);
    ck_assert_uint_eq(s.scope.run, 0x0123456789abcdef);
    ck_assert_uint_eq(s.scope.connection, 7);
    ck_assert(select_is_given(&s));
    ck_assert(matches());
    ck_assert_int_eq(select_id(&s, "0123456789abcdef-7-4"), 0);
    ck_assert(!matches());
}
END_TEST

START_TEST(peers)
{
    s.peer = "2001:db8::1";
    ck_assert(matches());
    s.peer = "[2001:db8::1]:4711";
    ck_assert(matches());
    s.peer = "[2001:db8::1]:4712";
    ck_assert(!matches());
    s.peer = "2001:db8::";
    ck_assert(!matches());
    s.peer = NULL;
    s.listener = "default";
    ck_assert(matches());
    s.listener = "other";
    ck_assert(!matches());
}
END_TEST

START_TEST(times_are_included)
{
    s.scope.since_us = s.scope.until_us = 1000;
    ck_assert(matches());
    s.scope.since_us = 1001;
    s.scope.until_us = UINT64_MAX;
    ck_assert(!matches());
    s.scope.since_us = 0;
    s.scope.until_us = 999;
    ck_assert(!matches());
}
END_TEST

/* A NUL ends nothing, and what follows the message is no part of it. */
START_TEST(patterns)
{
    char reason[100] = "";

    ck_assert_int_eq(select_pattern(&s, "(", reason, sizeof reason), -EINVAL);
    ck_assert_str_ne(reason, "");
    ck_assert_int_eq(select_pattern(&s, "w(or|ar)ld$", reason, sizeof reason), 0);
    ck_assert(matches());
    select_deinit(&s);
    ck_assert_int_eq(select_pattern(&s, "^world", reason, sizeof reason), 0);
    ck_assert(!matches());
    select_deinit(&s);
    ck_assert_int_eq(select_pattern(&s, "hello.w", reason, sizeof reason), 0);
    ck_assert(!select_matches(
        &s, &(struct log_item){ .record = { .data = (const uint8_t *)"hello w", .size = 5 } }));
}
END_TEST

static int parse(struct options *o, const char *a, const char *b, const char *c)
{
    char *argv[] = { (char *)"answerlog", (char *)a, (char *)b, (char *)c, NULL };
    char error[OPTIONS_ERROR_MAX];
    int argc = 1;

    while (argv[argc])
        argc++;
    return answerlog_options_parse(argc, argv, UINT64_C(1000000000), o, error);
}

START_TEST(lines)
{
    struct options o;

    ck_assert_int_eq(parse(&o, NULL, NULL, NULL), 0);
    ck_assert_uint_eq(o.lines, LINES_ALL);
    ck_assert_str_eq(o.directory, LOCALSTATEDIR "/lib/answerd");
    ck_assert_int_eq(parse(&o, "-f", "/log", NULL), 0);
    ck_assert_uint_eq(o.lines, 10);
    ck_assert_str_eq(o.directory, "/log");
    ck_assert_int_eq(parse(&o, "-f", "--since=@1", NULL), 0);
    ck_assert_uint_eq(o.lines, LINES_ALL);
    ck_assert_uint_eq(o.select.scope.since_us, 1000000);
    ck_assert_int_eq(parse(&o, "-fn", "all", NULL), 0);
    ck_assert_uint_eq(o.lines, LINES_ALL);
    ck_assert_int_eq(parse(&o, "-f", "-n3", NULL), 0);
    ck_assert_uint_eq(o.lines, 3);
    ck_assert_int_eq(parse(&o, "-f", "-g", "("), -EINVAL);
    ck_assert_int_eq(parse(&o, "-g", "x", "-gx"), -EINVAL);
    ck_assert_int_eq(parse(&o, "-g", "x", "-ojson"), 0);
    ck_assert_int_eq(o.form, FORM_JSON);
    answerlog_options_deinit(&o);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("answerlog-select");
    TCase *c = tcase_create("answerlog-select");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, nothing_given_matches_all);
    tcase_add_test(c, ids);
    tcase_add_test(c, peers);
    tcase_add_test(c, times_are_included);
    tcase_add_test(c, patterns);
    tcase_add_test(c, lines);
    suite_add_tcase(suite, c);
    return suite;
}
