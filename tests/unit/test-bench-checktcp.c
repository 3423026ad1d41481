/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "ask-bench/checktcp.h"
#include "base/macros.h"
#include "runner.h"

static const struct limits plenty = {
    .descriptors = 20000,
    .nr_open = 1048576,
    .processes = 1000,
    .files = 10000000,
    .files_used = 1000,
    .ports = 28232,
    .backlog = 4096,
    .tcp_pages = 10000000,
    .tracked = 10000000,
    .tracked_used = 10,
    .memory_available = UINT64_C(64) << 30,
    .page_size = 4096,
};

static const struct demand million = {
    .connections = 1000000,
    .ports = 1000000,
    .active = 1000000,
    .per_turn = 16,
    .workers = 51,
    .sources = 71,
    .more_from = "",
    .tcp = true,
    .local = true,
};

static struct check checks[CHECKS_MAX];

/* The only check that stops the run. */
static const struct check *only_stop(const struct demand *d, const struct limits *l)
{
    size_t n = checktcp_compare(d, l, checks);
    const struct check *stop = NULL;

    for (size_t i = 0; i < n; i++)
        if (checks[i].stops) {
            ck_assert_ptr_null(stop);
            stop = &checks[i];
        }
    ck_assert_ptr_nonnull(stop);
    return stop;
}

START_TEST(nothing_stops_it)
{
    size_t n = checktcp_compare(&million, &plenty, checks);

    ck_assert_uint_eq(n, CHECKS_MAX);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(!checks[i].stops, "%s: %s", checks[i].name, checks[i].text);
}
END_TEST

static const struct {
    size_t offset; /* of the limit in struct limits */
    uint64_t most; /* the largest value that stops the run */
    const char *name, *lift;
} cases_of[] = {
    { offsetof(struct limits, descriptors), 19671, "descriptors", "ulimit -Hn 19672" },
    { offsetof(struct limits, processes), 51, "processes", "ulimit -u" },
    { offsetof(struct limits, files), 2001999, "open files", "sysctl -w fs.file-max=2002000" },
    { offsetof(struct limits, ports), 14084, "local ports",
      "sysctl -w net.ipv4.ip_local_port_range='1024 65535'" },
    { offsetof(struct limits, backlog), 127, "backlog", "sysctl -w net.core.somaxconn=4096" },
    { offsetof(struct limits, tcp_pages), 1999999, "TCP buffers",
      "sysctl -w net.ipv4.tcp_mem='1000000 1500000 2000000'" },
    { offsetof(struct limits, tracked), 1000009, "conntrack",
      "sysctl -w net.netfilter.nf_conntrack_max=1000010" },
    { offsetof(struct limits, memory_available), UINT64_C(9) << 30, "memory", "--connections=" },
};

static struct limits with(size_t offset, uint64_t value)
{
    struct limits l = plenty;

    memcpy((char *)&l + offset, &value, sizeof value);
    return l;
}

START_TEST(each_limit_stops_it)
{
    struct limits l = with(cases_of[_i].offset, cases_of[_i].most);
    const struct check *stop = only_stop(&million, &l);

    ck_assert_str_eq(stop->name, cases_of[_i].name);
    ck_assert_msg(strncmp(stop->lift, cases_of[_i].lift, strlen(cases_of[_i].lift)) == 0, "%s",
                  stop->lift);
}
END_TEST

START_TEST(one_more_lets_it_go)
{
    /* Memory is an estimate, without an exact border. */
    struct limits l = with(cases_of[_i].offset, cases_of[_i].most + 1);
    size_t n = checktcp_compare(&million, &l, checks);

    for (size_t i = 0; i < n; i++)
        ck_assert(!checks[i].stops || strcmp(checks[i].name, "memory") == 0);
}
END_TEST

START_TEST(what_is_unknown_is_not_guessed)
{
    struct limits l = with(cases_of[_i].offset, LIMIT_UNKNOWN);
    size_t n = checktcp_compare(&million, &l, checks);

    ck_assert_uint_eq(n, CHECKS_MAX - 1);
    for (size_t i = 0; i < n; i++)
        ck_assert_str_ne(checks[i].name, cases_of[_i].name);
}
END_TEST

/* Where all ports of all addresses are not enough, only addresses help. */
START_TEST(more_addresses)
{
    struct demand d = million;
    const struct check *stop;

    d.sources = 1;
    d.more_from = "127.0.0.1";
    stop = only_stop(&d, &plenty);
    ck_assert_str_eq(stop->name, "local ports");
    ck_assert_str_eq(stop->lift, "--source=ADDR-ADDR with 36 addresses of this machine, from "
                                 "127.0.0.1");
}
END_TEST

START_TEST(unix_sockets_have_fewer_limits)
{
    struct limits l = plenty;
    struct demand d = million;
    size_t n;

    l.ports = l.tcp_pages = l.tracked = 0;
    d.tcp = false;
    n = checktcp_compare(&d, &l, checks);
    ck_assert_uint_eq(n, CHECKS_MAX - 3);
    for (size_t i = 0; i < n; i++)
        ck_assert(!checks[i].stops);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("bench-checktcp");
    TCase *cases = tcase_create("bench-checktcp");

    tcase_add_test(cases, nothing_stops_it);
    tcase_add_loop_test(cases, each_limit_stops_it, 0, (int)ARRAY_SIZE(cases_of));
    tcase_add_loop_test(cases, one_more_lets_it_go, 0, (int)ARRAY_SIZE(cases_of));
    tcase_add_loop_test(cases, what_is_unknown_is_not_guessed, 0, (int)ARRAY_SIZE(cases_of));
    tcase_add_test(cases, more_addresses);
    tcase_add_test(cases, unix_sockets_have_fewer_limits);
    suite_add_tcase(suite, cases);
    return suite;
}
