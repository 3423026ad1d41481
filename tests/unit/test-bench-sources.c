/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "ask-bench/sources.h"
#include "base/macros.h"
#include "runner.h"

/* The address of a source, without its port. */
static const char *text_of(const struct sources *s, uint64_t number)
{
    static char text[ADDRESS_TEXT_MAX];
    struct sockaddr_any address;
    char *colon;

    sources_get(s, number, &address);
    ck_assert_uint_eq(sockaddr_port(&address.sa), 0);
    (void)address_format(&address.sa, address.size, text);
    colon = strrchr(text, ':');
    ck_assert_ptr_nonnull(colon);
    *colon = '\0';
    return text;
}

static struct sources parse(const char *text)
{
    const char *error = NULL;
    struct sources s;

    ck_assert_msg(sources_parse(text, &s, &error) == 0, "%s: %s", text, error);
    return s;
}

START_TEST(a_single_address)
{
    struct sources s = parse("192.0.2.7");

    ck_assert_uint_eq(s.count, 1);
    ck_assert_str_eq(text_of(&s, 0), "192.0.2.7");
    ck_assert_str_eq(text_of(&s, 12345), "192.0.2.7");
}
END_TEST

START_TEST(a_range_is_taken_in_turn)
{
    struct sources s = parse("127.0.0.254-127.0.1.1");

    ck_assert_uint_eq(s.count, 4);
    ck_assert_str_eq(text_of(&s, 0), "127.0.0.254");
    ck_assert_str_eq(text_of(&s, 1), "127.0.0.255");
    ck_assert_str_eq(text_of(&s, 2), "127.0.1.0");
    ck_assert_str_eq(text_of(&s, 3), "127.0.1.1");
    ck_assert_str_eq(text_of(&s, 4), "127.0.0.254");
}
END_TEST

START_TEST(ipv6)
{
    struct sources s = parse("2001:db8::fffe-2001:db8::1:1");

    ck_assert_uint_eq(s.count, 4);
    ck_assert_str_eq(text_of(&s, 0), "[2001:db8::fffe]");
    ck_assert_str_eq(text_of(&s, 3), "[2001:db8::1:1]");
}
END_TEST

static const char *const bad[] = {
    "",
    "-",
    "localhost",
    "127.0.0.1-",
    "-127.0.0.1",
    "127.0.0.1-::1",
    "127.0.0.2-127.0.0.1",
    "127.0.0.1-127.0.0.2-127.0.0.3",
    "2001:db8::1-2001:db9::1",
    "127.0.0.1:80",
    "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
};

START_TEST(bad_ones)
{
    struct sources s = { .count = 77 };
    const char *error = NULL;

    ck_assert_int_eq(sources_parse(bad[_i], &s, &error), -EINVAL);
    ck_assert_ptr_nonnull(error);
    ck_assert_uint_eq(s.count, 77);
}
END_TEST

static struct sockaddr_any target(const char *text)
{
    struct sockaddr_any *all, first;
    struct address address;
    const char *error;

    ck_assert_int_eq(address_parse(text, &address, &error), 0);
    ck_assert_int_ge(address_resolve(&address, AF_UNSPEC, false, &all, &error), 1);
    first = all[0];
    free(all);
    return first;
}

/* Each address takes no more than half of the ports. */
START_TEST(loopback_gets_what_it_needs)
{
    struct sockaddr_any loopback = target("127.0.0.9:80");
    struct sources s;

    sources_choose(&s, &loopback, 14000, false, 28000);
    ck_assert_int_eq(s.family, AF_UNSPEC);
    sources_choose(&s, &loopback, 14001, false, 28000);
    ck_assert_int_eq(s.family, AF_INET);
    ck_assert_uint_eq(s.count, 2);
    ck_assert_str_eq(text_of(&s, 0), "127.0.0.1");
    sources_choose(&s, &loopback, 1000000, false, 28000);
    ck_assert_uint_eq(s.count, 72);
    sources_choose(&s, &loopback, 1, true, 28000);
    ck_assert_uint_ge(s.count, 2);
}
END_TEST

START_TEST(others_are_left_to_the_kernel)
{
    static const char *const others[] = { "192.0.2.1:80", "[::1]:80", "/run/x", "@x" };

    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct sockaddr_any address = target(others[i]);
        struct sources s;

        sources_choose(&s, &address, 1000000, true, 28000);
        ck_assert_int_eq(s.family, AF_UNSPEC);
        ck_assert_uint_eq(s.count, 1);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("bench-sources");
    TCase *cases = tcase_create("bench-sources");

    tcase_add_test(cases, a_single_address);
    tcase_add_test(cases, a_range_is_taken_in_turn);
    tcase_add_test(cases, ipv6);
    tcase_add_loop_test(cases, bad_ones, 0, (int)ARRAY_SIZE(bad));
    tcase_add_test(cases, loopback_gets_what_it_needs);
    tcase_add_test(cases, others_are_left_to_the_kernel);
    suite_add_tcase(suite, cases);
    return suite;
}
