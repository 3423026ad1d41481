/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "net/address.h"
#include "runner.h"

#define X10  "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

START_TEST(parses_hosts_and_ports)
{
    static const struct {
        const char *text, *host, *port;
    } good[] = {
        { "localhost:8080", "localhost", "8080" },
        { "192.0.2.1:0", "192.0.2.1", "0" },
        { ":65535", "", "65535" },
        { "[::1]:80", "::1", "80" },
        { "[fe80::1%eth0]:80", "fe80::1%eth0", "80" },
        { "[::]:0", "::", "0" },
        { "*:80", "", "80" },
        { "example.com:http", "example.com", "http" },
        { X100 X100 ":1", X100 X100, "1" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct address a;
        const char *error = NULL;
        int r = address_parse(good[i].text, &a, &error);

        ck_assert_msg(r == 0, "%s: %s", good[i].text, error);
        ck_assert_int_eq(a.family, AF_UNSPEC);
        ck_assert_str_eq(a.host, good[i].host);
        ck_assert_str_eq(a.port, good[i].port);
    }
}
END_TEST

START_TEST(parses_paths)
{
    static const struct {
        const char *text;
        const char *path;
        size_t n; /* bytes of sun_path that count */
    } good[] = {
        { "/run/a", "/run/a", 7 },
        { "unix:/run/a", "/run/a", 7 },
        { "/run/with:colon", "/run/with:colon", 16 },
        { "@name", "\0name", 5 },
        { "unix:@name", "\0name", 5 },
        { "/" X100 "123456", "/" X100 "123456", 108 },
        { "@" X100 "123456", "\0" X100 "123456", 107 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct address a;
        const char *error = NULL;
        char text[ADDRESS_TEXT_MAX];
        const char *prefix = strncmp(good[i].text, "unix:", 5) == 0 ? "unix:" : "";

        ck_assert_int_eq(address_parse(good[i].text, &a, &error), 0);
        ck_assert_int_eq(a.family, AF_UNIX);
        ck_assert_int_eq(a.un.sun_family, AF_UNIX);
        ck_assert_uint_eq(a.un_size, offsetof(struct sockaddr_un, sun_path) + good[i].n);
        ck_assert_mem_eq(a.un.sun_path, good[i].path, good[i].n);
        address_format((const struct sockaddr *)&a.un, a.un_size, text);
        ck_assert_str_eq(text, good[i].text + strlen(prefix));
    }
}
END_TEST

START_TEST(urls_are_refused_by_name)
{
    static const char *const urls[] = { "http://localhost:8080/x", "tcp://127.0.0.1:1",
                                        "coap+tcp://h:1", "x-2.b://[::1]:1", "http://" };
    static const char *const others[] = { "://:1", "1http://h:1", "ht tp://h:1" };
    struct address a;
    const char *error;

    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        ck_assert_int_eq(address_parse(urls[i], &a, &error), -EINVAL);
        ck_assert_str_eq(error, "this is a URL; give HOST:PORT");
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        ck_assert_int_eq(address_parse(others[i], &a, &error), -EINVAL);
        ck_assert_ptr_null(strstr(error, "URL"));
    }
    ck_assert_int_eq(address_parse("unix:///run/x", &a, &error), 0);
}
END_TEST

START_TEST(refuses_malformed_addresses)
{
    static const char *const bad[] = {
        "",
        "localhost",
        "8080",
        "localhost:",
        ":",
        "::",
        "::1",
        "::1:80",
        "fe80::1:80",
        "[::1]",
        "[::1]80",
        "[::1]:",
        "[]:80",
        "[:80",
        "[localhost]:80",
        "[192.0.2.1]:80",
        "a:b:c",
        "localhost:65536",
        "localhost:99999999999",
        "localhost:-1",
        "localhost:+1",
        "localhost: 80",
        "[::1]:-1",
        "/",
        "@",
        "unix:",
        "unix:relative",
        "unix:8080",
        "unix:/",
        "unix:@",
        "/" X100 "1234567",
        "@" X100 "1234567",
        X100 X100 X100 ":80",
        "h:" X10 X10 X10 X10,
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct address a = { .family = -1 };
        const char *error = NULL;

        ck_assert_msg(address_parse(bad[i], &a, &error) == -EINVAL, "\"%s\" was taken", bad[i]);
        ck_assert_int_eq(a.family, -1);
        ck_assert_ptr_nonnull(error);
        ck_assert_ptr_null(strchr(error, '\n'));
    }
}
END_TEST

/* Resolves text, which is numeric to avoid DNS, and checks that each result is one of those
 * expected, separated by spaces. Returns their number or the resolver's error. */
static int resolve(const char *text, int family, bool passive, const char *expected)
{
    struct address address;
    struct sockaddr_any *all = NULL;
    const char *error = NULL;
    int n;

    ck_assert_int_eq(address_parse(text, &address, &error), 0);
    n = address_resolve(&address, family, passive, &all, &error);
    if (n < 0) {
        ck_assert_ptr_nonnull(error);
        ck_assert_ptr_null(all);
        return n;
    }
    ck_assert_int_gt(n, 0);
    for (int i = 0; i < n; i++) {
        char one[ADDRESS_TEXT_MAX];

        address_format(&all[i].sa, all[i].size, one);
        ck_assert_msg(strstr(expected, one) != NULL, "%s: %s, not one of %s", text, one, expected);
    }
    free(all);
    return n;
}

START_TEST(resolves_host_names)
{
    ck_assert_int_eq(resolve("127.0.0.1:80", AF_UNSPEC, false, "127.0.0.1:80"), 1);
    ck_assert_int_eq(resolve("127.0.0.1:80", AF_INET, true, "127.0.0.1:80"), 1);
    ck_assert_int_eq(resolve("[::1]:80", AF_UNSPEC, true, "[::1]:80"), 1);
    ck_assert_int_eq(resolve("[::ffff:192.0.2.1]:80", AF_UNSPEC, false, "192.0.2.1:80"), 1);
    ck_assert_int_eq(resolve("[fe80::1%lo]:80", AF_UNSPEC, true, "[fe80::1%lo]:80"), 1);
    ck_assert_int_gt(resolve(":80", AF_UNSPEC, false, "127.0.0.1:80 [::1]:80"), 0);
    ck_assert_int_eq(resolve(":80", AF_INET, false, "127.0.0.1:80"), 1);
    ck_assert_int_eq(resolve(":80", AF_UNSPEC, true, "[::]:80 0.0.0.0:80"), 1);
    ck_assert_int_eq(resolve(":80", AF_INET, true, "0.0.0.0:80"), 1);
    ck_assert_int_eq(resolve("/run/a", AF_UNSPEC, false, "/run/a"), 1);
    ck_assert_int_eq(resolve("@a", AF_UNSPEC, true, "@a"), 1);
}
END_TEST

START_TEST(reports_names_that_do_not_resolve)
{
    ck_assert_int_lt(resolve("[::1]:80", AF_INET, false, ""), 0);
    ck_assert_int_lt(resolve("127.0.0.1:80", AF_INET6, false, ""), 0);
    ck_assert_int_lt(resolve("127.0.0.1:no-such-service", AF_UNSPEC, false, ""), 0);
    ck_assert_int_lt(resolve("127.0.0.1:8x", AF_UNSPEC, false, ""), 0);
}
END_TEST

START_TEST(formats_what_it_parsed)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(65535) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(1) };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct sockaddr other = { .sa_family = AF_PACKET };
    char text[ADDRESS_TEXT_MAX];

    ck_assert_int_eq(inet_pton(AF_INET, "255.255.255.255", &in.sin_addr), 1);
    ck_assert_str_eq(address_format((struct sockaddr *)&in, sizeof in, text),
                     "255.255.255.255:65535");
    ck_assert_uint_eq(sockaddr_port((struct sockaddr *)&in), 65535);
    ck_assert_int_eq(inet_pton(AF_INET6, "2001:db8::7", &in6.sin6_addr), 1);
    ck_assert_str_eq(address_format((struct sockaddr *)&in6, sizeof in6, text), "[2001:db8::7]:1");
    ck_assert_int_eq(inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr), 1);
    in6.sin6_scope_id = if_nametoindex("lo");
    ck_assert_uint_ne(in6.sin6_scope_id, 0);
    ck_assert_str_eq(address_format((struct sockaddr *)&in6, sizeof in6, text), "[fe80::1%lo]:1");
    in6.sin6_scope_id = 0x7fffffff;
    ck_assert_str_eq(address_format((struct sockaddr *)&in6, sizeof in6, text),
                     "[fe80::1%2147483647]:1");
    in6.sin6_scope_id = 0;
    ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
    ck_assert_str_eq(address_format((struct sockaddr *)&in6, sizeof in6, text), "192.0.2.1:1");
    ck_assert_uint_eq(sockaddr_port((struct sockaddr *)&in6), 1);
    ck_assert_str_eq(address_format((struct sockaddr *)&un, sizeof un.sun_family, text), "unix");
    ck_assert_uint_eq(sockaddr_port((struct sockaddr *)&un), 0);
    ck_assert_str_eq(address_format(&other, sizeof other, text), "address family 17");

    /* A path may fill sun_path without a terminator: unix(7). */
    memset(un.sun_path, 'a', sizeof un.sun_path);
    address_format((struct sockaddr *)&un, sizeof un, text);
    ck_assert_uint_eq(strlen(text), sizeof un.sun_path);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("address");
    TCase *cases = tcase_create("address");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, parses_hosts_and_ports);
    tcase_add_test(cases, parses_paths);
    tcase_add_test(cases, urls_are_refused_by_name);
    tcase_add_test(cases, refuses_malformed_addresses);
    tcase_add_test(cases, resolves_host_names);
    tcase_add_test(cases, reports_names_that_do_not_resolve);
    tcase_add_test(cases, formats_what_it_parsed);
    suite_add_tcase(suite, cases);
    return suite;
}
