/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "decoder.h"
#include "record/event-log.h"
#include "runner.h"

static char folder[64], path[96];
static int journal = -1; /* the socket in place of journald's */
static uint64_t now_us = 5000000;

/* Replaces the system's: ld(1), --wrap. */
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(_unused_ clockid_t id, struct timespec *t)
{
    *t = (struct timespec){ .tv_sec = (time_t)(now_us / 1000000),
                            .tv_nsec = (long)(now_us % 1000000 * 1000) };
    return 0;
}

static void journal_start(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)unlink(path);
    strcpy(address.sun_path, path);
    journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(journal, 0);
    ck_assert_int_eq(bind(journal, (struct sockaddr *)&address, sizeof address), 0);
}

static void setup(void)
{
    strcpy(folder, "/tmp/answerd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    journal_start();
    event_log_open(false, path);
}

static void teardown(void)
{
    event_log_close();
    event_log_close();
    journal = close_fd(journal);
    (void)unlink(path);
    (void)rmdir(folder);
}

/* Receives the next entry. False if there is none. */
static bool receive(struct decoded *d)
{
    static uint8_t bytes[65536];
    ssize_t n = recv(journal, bytes, sizeof bytes, 0);

    if (n < 0)
        return false;
    ck_assert(decode(bytes, (size_t)n, d));
    return true;
}

static void check_message(const char *text)
{
    struct decoded d;

    if (!text) {
        ck_assert(!receive(&d));
        return;
    }
    ck_assert(receive(&d));
    ck_assert_msg(decoded_is_text(&d, "MESSAGE", text), "not \"%s\"", text);
}

START_TEST(an_event_is_one_entry)
{
    struct decoded d;

    ck_assert(event_log(EVENT_READY, "ready for %d", 3));
    ck_assert(receive(&d));
    ck_assert(decoded_is_text(&d, "MESSAGE", "ready for 3"));
    ck_assert(decoded_is_text(&d, "MESSAGE_ID", "36ec94df86864b66a5d5b0abb36f0b5c"));
    ck_assert(decoded_is_text(&d, "PRIORITY", "6"));
    ck_assert(decoded_is_text(&d, "SYSLOG_IDENTIFIER", "answerd"));
    ck_assert_ptr_null(decoded_find(&d, "ANSWERD_PEER"));
}
END_TEST

START_TEST(about_a_connection)
{
    const struct peer peer = { .address = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 7 },
                               .port = 4711 };
    const struct event_about about = { .peer = &peer, .listener = "default", .number = 12 };
    struct decoded d;

    event_log_about(EVENT_TIMEOUT, &about, "cut off: %s", "late");
    ck_assert(receive(&d));
    ck_assert(decoded_is_text(&d, "MESSAGE", "192.0.2.7:4711: cut off: late"));
    ck_assert(decoded_is_text(&d, "ANSWERD_PEER", "192.0.2.7"));
    ck_assert(decoded_is_text(&d, "ANSWERD_PEER_PORT", "4711"));
    ck_assert(decoded_is_text(&d, "ANSWERD_LISTENER", "default"));
    ck_assert(decoded_is_text(&d, "ANSWERD_CONNECTION", "12"));
}
END_TEST

START_TEST(one_event_per_second_of_a_kind)
{
    for (int i = 0; i < 5; i++)
        ck_assert(event_log(EVENT_ACCEPT_FAILED, "failed %d", i));
    ck_assert(event_log(EVENT_MEMORY_LIMIT, "another kind"));
    check_message("failed 0");
    check_message("another kind");
    check_message(NULL);
    now_us += 999999;
    ck_assert(event_log(EVENT_ACCEPT_FAILED, "too early"));
    check_message(NULL);
    now_us += 1;
    ck_assert(event_log(EVENT_ACCEPT_FAILED, "in time"));
    check_message("in time (and 5 more like this)");
    now_us += 1000000;
    ck_assert(event_log(EVENT_ACCEPT_FAILED, "alone"));
    check_message("alone");
}
END_TEST

/* Events that peers cannot cause are never suppressed. */
START_TEST(operator_events_are_never_limited)
{
    static const enum event kinds[] = { EVENT_STARTED,        EVENT_READY,    EVENT_RELOADED,
                                        EVENT_RELOAD_REFUSED, EVENT_STOPPING, EVENT_STOPPED,
                                        EVENT_NOTICE };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        for (int n = 0; n < 3; n++)
            ck_assert(event_log(kinds[i], "again"));
        for (int n = 0; n < 3; n++)
            check_message("again");
        check_message(NULL);
    }
}
END_TEST

/* An event that could not be written does not count as written, and may be retried immediately. */
START_TEST(unwritten_events_can_be_retried)
{
    struct decoded d;
    int n = 0;

    while (event_log(EVENT_NOTICE, "fill"))
        ck_assert_int_lt(n++, 10000);
    ck_assert(!event_log(EVENT_SINK_BACK, "back"));
    ck_assert(!event_log(EVENT_SINK_BACK, "back"));
    while (receive(&d))
        ;
    ck_assert(event_log(EVENT_SINK_BACK, "back"));
    check_message("back");
    ck_assert(event_log(EVENT_SINK_BACK, "back")); /* within the same second */
    check_message(NULL);
}
END_TEST

START_TEST(finds_a_journal_that_returns)
{
    journal = close_fd(journal);
    ck_assert(!event_log(EVENT_NOTICE, "away"));
    (void)unlink(path);
    ck_assert(!event_log(EVENT_NOTICE, "gone"));
    journal_start();
    ck_assert(event_log(EVENT_NOTICE, "back"));
    check_message("back");
}
END_TEST

START_TEST(long_lines_are_cut)
{
    char text[3000];
    const struct decoded_field *f;
    struct decoded d;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert(event_log(EVENT_NOTICE, "%s", text));
    ck_assert(receive(&d));
    f = decoded_find(&d, "MESSAGE");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(f->size, 1023);
}
END_TEST

START_TEST(a_closed_log_drops_events)
{
    event_log_close();
    ck_assert(event_log(EVENT_NOTICE, "nobody hears"));
    check_message(NULL);
}
END_TEST

START_TEST(events_go_to_stderr_by_hand)
{
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), fds[2];
    char text[256];
    ssize_t n;

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    event_log_open(true, NULL);
    ck_assert(event_log(EVENT_NOTICE, "for a person"));
    event_log_close();
    ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    n = read(fds[0], text, sizeof text - 1);
    ck_assert_int_gt(n, 0);
    text[n] = '\0';
    ck_assert_str_eq(text, "answerd: for a person\n");
    check_message(NULL);
    (void)close(fds[0]);
    (void)close(fds[1]);
    (void)close(saved);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("event-log");
    TCase *cases = tcase_create("event-log");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, an_event_is_one_entry);
    tcase_add_test(cases, about_a_connection);
    tcase_add_test(cases, one_event_per_second_of_a_kind);
    tcase_add_test(cases, operator_events_are_never_limited);
    tcase_add_test(cases, unwritten_events_can_be_retried);
    tcase_add_test(cases, finds_a_journal_that_returns);
    tcase_add_test(cases, long_lines_are_cut);
    tcase_add_test(cases, a_closed_log_drops_events);
    tcase_add_test(cases, events_go_to_stderr_by_hand);
    suite_add_tcase(suite, cases);
    return suite;
}
