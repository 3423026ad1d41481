/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/prefix.h"
#include "runner.h"

static struct peer peer_of(const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    struct peer peer = { .is_unix = true };

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        peer_init(&peer, -1, (const struct sockaddr *)&v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        peer_init(&peer, -1, (const struct sockaddr *)&v6);
    return peer;
}

static bool has(const char *list, const char *address)
{
    struct peer peer = peer_of(address);
    struct prefix_list *l = NULL;
    bool result;

    ck_assert_msg(prefix_list_parse(list, &l) == 0, "%s", list);
    result = prefix_list_has(l, &peer);
    free(l);
    return result;
}
END_TEST

START_TEST(an_address_alone_is_only_itself)
{
    ck_assert(has("192.0.2.7", "192.0.2.7"));
    ck_assert(!has("192.0.2.7", "192.0.2.6"));
    ck_assert(has("2001:db8::7", "2001:db8::7"));
    ck_assert(!has("2001:db8::7", "2001:db8::8"));
}
END_TEST

START_TEST(a_prefix_of_each_length)
{
    const char *all = "255.255.255.255";

    for (unsigned bits = 1; bits <= 32; bits++) {
        uint32_t mask = htonl(UINT32_MAX << (32 - bits)), off = htonl(UINT32_C(1) << (32 - bits));
        char network[INET_ADDRSTRLEN], other[INET_ADDRSTRLEN], list[32];
        uint32_t outside = mask ^ off;

        ck_assert_ptr_nonnull(inet_ntop(AF_INET, &mask, network, sizeof network));
        ck_assert_ptr_nonnull(inet_ntop(AF_INET, &outside, other, sizeof other));
        (void)snprintf(list, sizeof list, "%s/%u", network, bits);
        ck_assert_msg(has(list, network) && has(list, all), "%s", list);
        ck_assert_msg(!has(list, other), "%s has %s", list, other);
    }
    ck_assert(has("0.0.0.0/0", all));
    ck_assert(!has("0.0.0.0/0", "2001:db8::1"));
}
END_TEST

START_TEST(ipv4_is_also_ipv6)
{
    ck_assert(has("::ffff:192.0.2.0/120", "192.0.2.7"));
    ck_assert(has("192.0.2.0/24", "::ffff:192.0.2.7"));
    ck_assert(has("::/0", "192.0.2.7"));
    ck_assert(has("2001:db8::/33", "2001:db8:7fff::"));
    ck_assert(!has("2001:db8::/33", "2001:db8:8000::"));
}
END_TEST

START_TEST(unix_is_a_word_of_its_own)
{
    ck_assert(has("unix", "unix"));
    ck_assert(!has("::/0", "unix"));
    ck_assert(!has("unix", "192.0.2.7"));
    ck_assert(has("192.0.2.7 unix", "unix"));
}
END_TEST

START_TEST(many)
{
    const char *list = " 10.0.0.0/8\t 192.0.2.7  2001:db8::/32 ";

    ck_assert(has(list, "10.255.0.1"));
    ck_assert(has(list, "192.0.2.7"));
    ck_assert(has(list, "2001:db8::1"));
    ck_assert(!has(list, "11.0.0.1"));
    ck_assert(!prefix_list_has(NULL, &(struct peer){ 0 }));
}
END_TEST

START_TEST(what_is_no_list)
{
    static const char *const wrong[] = {
        "",
        " ",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10.0.0.1/8",
        "10.0.0.0/8,192.0.2.7",
        "10.0.0/24",
        "2001:db8::/129",
        "2001:db8::1/64",
        "[2001:db8::]/64",
        "localhost",
        "unix/8",
        "/8",
        "10.0.0.0/8 nonsense",
        "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/128",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct prefix_list *l = NULL;

        ck_assert_msg(prefix_list_parse(wrong[i], &l) == -EINVAL, "%s", wrong[i]);
        ck_assert_ptr_null(l);
    }
}
END_TEST

Suite *test_suite(void)
{
    TCase *tc = tcase_create("prefix");
    Suite *s = suite_create("prefix");

    tcase_add_test(tc, an_address_alone_is_only_itself);
    tcase_add_test(tc, a_prefix_of_each_length);
    tcase_add_test(tc, ipv4_is_also_ipv6);
    tcase_add_test(tc, unix_is_a_word_of_its_own);
    tcase_add_test(tc, many);
    tcase_add_test(tc, what_is_no_list);
    suite_add_tcase(s, tc);
    return s;
}
