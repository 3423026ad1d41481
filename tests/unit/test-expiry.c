/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/expiry.h"
#include "base/macros.h"
#include "base/timer.h"
#include "record/event-log.h"
#include "runner.h"

#define DAY     ((time_t)24 * 3600)
#define EXPIRES ((time_t)1800000000) /* 2027-01-15 08:00 UTC */
#define HOUR_MS 3600000

static time_t expires[2];
static char said[1024];
static unsigned n_said;
static bool journal_full;
static struct expiry expiry;
static struct config config;

/* Instead of the real ones: the linker wraps them. */
time_t __wrap_tls_server_expires(const struct tls_server *server, const char **ret_file);
_printf_(2, 3) bool __wrap_event_log(enum event event, const char *format, ...);

time_t __wrap_tls_server_expires(const struct tls_server *server, const char **ret_file)
{
    *ret_file = "tls.crt";
    return expires[server == (const struct tls_server *)&expires[1]];
}

bool __wrap_event_log(enum event event, const char *format, ...)
{
    va_list arguments;

    ck_assert_int_eq(event, EVENT_TLS_EXPIRES);
    if (journal_full)
        return false;
    va_start(arguments, format);
    (void)vsnprintf(said, sizeof said, format, arguments);
    va_end(arguments);
    n_said++;
    return true;
}

static void setup(void)
{
    static char names[][8] = { "first", "second" };
    struct config_tls *tls = calloc(2, sizeof *tls);

    ck_assert_ptr_nonnull(tls);
    for (size_t i = 0; i < 2; i++) {
        tls[i].name = names[i];
        tls[i].server = (struct tls_server *)&expires[i];
        expires[i] = EXPIRES;
    }
    expires[1] += 1000 * DAY;
    config = (struct config){ .tls = tls, .n_tls = 2 };
    n_said = 0;
    said[0] = '\0';
    journal_full = false;
}

static void teardown(void)
{
    expiry_deinit(&expiry);
    free(config.tls);
}

/* What is logged at that moment, or "". */
static const char *look(time_t now)
{
    unsigned before = n_said;

    expiry_look(&expiry, &config, now, 5000);
    ck_assert_uint_le(n_said, before + 1);
    return n_said > before ? said : "";
}

START_TEST(each_threshold_is_told_once)
{
    ck_assert_str_eq(look(EXPIRES - 30 * DAY - 1), "");
    ck_assert_str_eq(expiry.text, "");
    ck_assert_uint_eq(expiry.next_ms, 5000 + HOUR_MS);
    ck_assert_str_eq(look(EXPIRES - 30 * DAY), "[TLS first]: the certificate in tls.crt expires in "
                                               "30 days: 2027-01-15 08:00 UTC");
    ck_assert_str_eq(expiry.text, "; a certificate expires in 30 days");
    ck_assert_str_eq(look(EXPIRES - 29 * DAY), "");
    ck_assert_str_eq(look(EXPIRES - 7 * DAY - 1), "");
    ck_assert_ptr_nonnull(strstr(look(EXPIRES - 7 * DAY), "expires in 7 days"));
    ck_assert_str_eq(look(EXPIRES - 2 * DAY), "");
    ck_assert_str_eq(expiry.text, "; a certificate expires in 2 days");
    ck_assert_ptr_nonnull(strstr(look(EXPIRES - DAY), "expires in 1 day:"));
    ck_assert_str_eq(look(EXPIRES - 1), "");
    ck_assert_str_eq(expiry.text, "; a certificate expires in less than a day");
    ck_assert_ptr_nonnull(strstr(look(EXPIRES), "tls.crt has expired: 2027-01-15"));
    ck_assert_str_eq(look(EXPIRES + 99 * DAY), "");
    ck_assert_str_eq(expiry.text, "; a certificate has expired");
}
END_TEST

START_TEST(a_late_look_tells_only_the_last)
{
    ck_assert_ptr_nonnull(strstr(look(EXPIRES - 3 * DAY), "expires in 3 days"));
    ck_assert_str_eq(look(EXPIRES - 2 * DAY), "");
    ck_assert_uint_eq(n_said, 1);
}
END_TEST

START_TEST(a_new_certificate_begins_anew)
{
    ck_assert_str_ne(look(EXPIRES - DAY), "");
    expires[0] += 20 * DAY;
    ck_assert_ptr_nonnull(strstr(look(EXPIRES - DAY), "expires in 21 days"));
    ck_assert_str_eq(look(EXPIRES - DAY), "");
    expires[0] += 90 * DAY;
    ck_assert_str_eq(look(EXPIRES - DAY), "");
    ck_assert_str_eq(expiry.text, "");
}
END_TEST

START_TEST(each_section_is_told_and_the_nearest_is_shown)
{
    ck_assert_str_ne(look(EXPIRES - 3 * DAY), "");
    expires[1] = EXPIRES - DAY;
    ck_assert_ptr_nonnull(strstr(look(EXPIRES - 3 * DAY), "[TLS second]"));
    ck_assert_str_eq(expiry.text, "; a certificate expires in 2 days");
    ck_assert_str_eq(look(EXPIRES - 3 * DAY), "");
}
END_TEST

START_TEST(what_was_not_written_is_told_later)
{
    journal_full = true;
    ck_assert_str_eq(look(EXPIRES), "");
    ck_assert_str_eq(expiry.text, "; a certificate has expired");
    journal_full = false;
    ck_assert_str_ne(look(EXPIRES), "");
}
END_TEST

START_TEST(nothing_to_look_at)
{
    config.n_tls = 0;
    ck_assert_str_eq(look(EXPIRES), "");
    ck_assert_str_eq(expiry.text, "");
    ck_assert_uint_eq(expiry.next_ms, TIMER_NEVER);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("expiry");
    TCase *cases = tcase_create("expiry");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, each_threshold_is_told_once);
    tcase_add_test(cases, a_late_look_tells_only_the_last);
    tcase_add_test(cases, a_new_certificate_begins_anew);
    tcase_add_test(cases, each_section_is_told_and_the_nearest_is_shown);
    tcase_add_test(cases, what_was_not_written_is_told_later);
    tcase_add_test(cases, nothing_to_look_at);
    suite_add_tcase(suite, cases);
    return suite;
}
