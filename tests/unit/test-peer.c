/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/peer.h"
#include "runner.h"

static void check(const struct peer *peer, const char *address, const char *port, const char *both)
{
    char text[PEER_TEXT_MAX];

    ck_assert_uint_eq(peer_format_address(peer, text), strlen(address));
    ck_assert_str_eq(text, address);
    ck_assert_uint_eq(peer_format_port(peer, text), strlen(port));
    ck_assert_str_eq(text, port);
    ck_assert_uint_eq(peer_format(peer, text), strlen(both));
    ck_assert_str_eq(text, both);
}

static void check_in(const char *address, uint16_t port, const char *both)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    char port_text[8];
    struct peer peer;

    (void)snprintf(port_text, sizeof port_text, "%u", port);
    ck_assert_int_eq(inet_pton(AF_INET, address, &in.sin_addr), 1);
    peer_init(&peer, -1, (struct sockaddr *)&in);
    check(&peer, address, port_text, both);
}

static void check_in6(const char *from, const char *address, const char *both)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(65535) };
    struct peer peer;

    ck_assert_int_eq(inet_pton(AF_INET6, from, &in6.sin6_addr), 1);
    peer_init(&peer, -1, (struct sockaddr *)&in6);
    check(&peer, address, "65535", both);
}

START_TEST(formats_ipv4_peers)
{
    check_in("192.0.2.7", 40000, "192.0.2.7:40000");
    check_in("0.0.0.0", 0, "0.0.0.0:0");
    check_in("255.255.255.255", 65535, "255.255.255.255:65535");
}
END_TEST

START_TEST(formats_ipv6_peers)
{
    check_in6("2001:db8::7", "2001:db8::7", "[2001:db8::7]:65535");
    check_in6("::1", "::1", "[::1]:65535");
    check_in6("::", "::", "[::]:65535");
    check_in6("2001:db8:1234:5678:9abc:def0:1234:5678", "2001:db8:1234:5678:9abc:def0:1234:5678",
              "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535");
    /* How a dual-stack socket reports IPv4. */
    check_in6("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7:65535");
}
END_TEST

START_TEST(same_over_both_stacks)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(7) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(7) };
    struct peer a, b;

    ck_assert_int_eq(inet_pton(AF_INET, "192.0.2.7", &in.sin_addr), 1);
    ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr), 1);
    peer_init(&a, -1, (struct sockaddr *)&in);
    peer_init(&b, -1, (struct sockaddr *)&in6);
    ck_assert_mem_eq(a.address, b.address, sizeof a.address);
    ck_assert_uint_eq(sizeof(struct peer), 20);
}
END_TEST

START_TEST(unix_peers_are_named_by_their_process)
{
    const struct sockaddr_un un = { .sun_family = AF_UNIX };
    char text[PEER_TEXT_MAX];
    struct peer peer;
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    peer_init(&peer, fds[0], (const struct sockaddr *)&un);
    (void)snprintf(text, sizeof text, "pid=%d,uid=%u", getpid(), getuid());
    check(&peer, text, "", text);
    close(fds[0]);
    close(fds[1]);

    peer_init(&peer, -1, (const struct sockaddr *)&un);
    check(&peer, "pid=0,uid=4294967295", "", "pid=0,uid=4294967295");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("peer");
    TCase *cases = tcase_create("peer");

    tcase_add_test(cases, formats_ipv4_peers);
    tcase_add_test(cases, formats_ipv6_peers);
    tcase_add_test(cases, same_over_both_stacks);
    tcase_add_test(cases, unix_peers_are_named_by_their_process);
    suite_add_tcase(suite, cases);
    return suite;
}
