/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "answerd/status.h"
#include "base/macros.h"
#include "record/committer.h"
#include "runner.h"
#include "serve/context.h"

#define JOURNAL (1U << RECORD_JOURNAL)
#define LOG     (1U << RECORD_LOG)
#define STDERR  (1U << RECORD_STDERR)
#define IDLE    "0 connections, 0 messages/s, 0 messages in all"

static struct context first, second;
static struct committer committer;
static struct context *contexts[] = { &first, &second };
static struct shared shared = {
    .committer = &committer,
    .contexts = contexts,
    .n_contexts = ARRAY_SIZE(contexts),
};

static const char *line(unsigned first_outages, unsigned second_outages, uint64_t unmirrored)
{
    static struct status status;

    atomic_store(&first.outages, first_outages);
    atomic_store(&second.outages, second_outages);
    status_tell(&status, &shared, unmirrored, 1000);
    ck_assert(strncmp(status.text, IDLE, strlen(IDLE)) == 0);
    return status.text + strlen(IDLE);
}

START_TEST(names_what_is_waited_for)
{
    ck_assert_str_eq(line(0, 0, 0), "");
    ck_assert_str_eq(line(JOURNAL, 0, 0), "; waiting for the journal");
    ck_assert_str_eq(line(0, LOG, 0), "; waiting for the log");
    ck_assert_str_eq(line(STDERR, STDERR, 0), "; waiting for standard error");
    ck_assert_str_eq(line(LOG, JOURNAL, 0), "; waiting for the journal and the log");
    ck_assert_str_eq(line(LOG | STDERR, JOURNAL, 0),
                     "; waiting for the journal, the log and standard error");
    ck_assert_str_eq(line(0, LOG, 3), "; waiting for the log; 3 records not in the journal yet");
}
END_TEST

START_TEST(says_that_the_log_has_no_room)
{
    atomic_store(&committer.blocked, true);
    ck_assert_str_eq(line(0, LOG, 0), "; the log has no room");
    ck_assert_str_eq(line(JOURNAL | LOG, 0, 0), "; waiting for the journal; the log has no room");
    /* Too short to be an outage. */
    ck_assert_str_eq(line(0, 0, 0), "");
    ck_assert_str_eq(line(JOURNAL, 0, 0), "; waiting for the journal");
    atomic_store(&committer.blocked, false);
    ck_assert_str_eq(line(0, LOG, 0), "; waiting for the log");
}
END_TEST

/* Large numbers cut nothing off. */
START_TEST(has_room_for_everything)
{
    const char *end = " records not in the journal yet";
    const char *text;

    atomic_store(&shared.n_connections, UINT64_MAX);
    atomic_store(&first.counters.messages, UINT64_MAX);
    atomic_store(&first.outages, JOURNAL | LOG | STDERR);
    for (int blocked = 0; blocked < 2; blocked++) {
        struct status status = { 0 };

        atomic_store(&committer.blocked, blocked);
        status_tell(&status, &shared, UINT64_MAX, 1);
        text = status.text;
        ck_assert_str_eq(text + strlen(text) - strlen(end), end);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("status");
    TCase *cases = tcase_create("status");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, names_what_is_waited_for);
    tcase_add_test(cases, says_that_the_log_has_no_room);
    tcase_add_test(cases, has_room_for_everything);
    suite_add_tcase(suite, cases);
    return suite;
}
