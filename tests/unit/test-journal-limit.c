/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "answerd/journal-limit.h"
#include "base/macros.h"
#include "runner.h"

#define MIB (UINT64_C(1) << 20)

static char root[] = "/tmp/answerd-test-XXXXXX";

static void shell(const char *command)
{
    char line[512];

    (void)snprintf(line, sizeof line, "cd %s && %s", root, command);
    ck_assert_int_eq(system(line), 0);
}

static void setup(void)
{
    strcpy(root + strlen(root) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    shell("mkdir -p etc/systemd/journald.conf.d usr/lib/systemd/journald.conf.d var/log/journal "
          "run/log");
}

static void teardown(void)
{
    shell("rm -r *");
    (void)rmdir(root);
}

START_TEST(by_the_size_of_the_file_system)
{
    struct statvfs fs;
    uint64_t expected;

    ck_assert_int_eq(statvfs(root, &fs), 0);
    expected = (uint64_t)fs.f_blocks * fs.f_frsize / 80;
    expected = MAX(MIN(expected, 128 * MIB), MIB / 2);
    ck_assert_uint_eq(journal_file_limit(root), expected);
}
END_TEST

START_TEST(by_the_file)
{
    shell("printf '[Journal]\\nSystemMaxUse=64M\\nRuntimeMaxFileSize=3M\\n' "
          ">etc/systemd/journald.conf");
    ck_assert_uint_eq(journal_file_limit(root), 8 * MIB);
    shell("echo SystemMaxFileSize=20M >>etc/systemd/journald.conf");
    ck_assert_uint_eq(journal_file_limit(root), 20 * MIB);
    /* journald takes no less. */
    shell("echo SystemMaxFileSize=1K >>etc/systemd/journald.conf");
    ck_assert_uint_eq(journal_file_limit(root), MIB / 2);
}
END_TEST

START_TEST(by_drop_ins)
{
    shell("echo SystemMaxUse=64M >etc/systemd/journald.conf");
    shell("echo SystemMaxUse=80M >usr/lib/systemd/journald.conf.d/20.conf");
    ck_assert_uint_eq(journal_file_limit(root), 10 * MIB);
    shell("echo SystemMaxUse=16M >etc/systemd/journald.conf.d/10.conf");
    ck_assert_uint_eq(journal_file_limit(root), 10 * MIB);
    shell("echo SystemMaxUse=32M >etc/systemd/journald.conf.d/20.conf");
    ck_assert_uint_eq(journal_file_limit(root), 4 * MIB);
    shell("echo SystemMaxUse=lots >etc/systemd/journald.conf.d/30.conf");
    ck_assert_uint_eq(journal_file_limit(root), 4 * MIB);
}
END_TEST

START_TEST(of_a_journal_in_memory)
{
    shell("printf 'SystemMaxFileSize=7M\\nRuntimeMaxFileSize=3M\\n' >etc/systemd/journald.conf");
    ck_assert_uint_eq(journal_file_limit(root), 7 * MIB);
    shell("echo Storage=volatile >>etc/systemd/journald.conf");
    ck_assert_uint_eq(journal_file_limit(root), 3 * MIB);
    shell("echo Storage=auto >>etc/systemd/journald.conf && rmdir var/log/journal");
    ck_assert_uint_eq(journal_file_limit(root), 3 * MIB);
    shell("echo Storage=persistent >>etc/systemd/journald.conf");
    ck_assert_uint_eq(journal_file_limit(root), 7 * MIB);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("journal-limit");
    TCase *cases = tcase_create("journal-limit");

    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, by_the_size_of_the_file_system);
    tcase_add_test(cases, by_the_file);
    tcase_add_test(cases, by_drop_ins);
    tcase_add_test(cases, of_a_journal_in_memory);
    suite_add_tcase(suite, cases);
    return suite;
}
