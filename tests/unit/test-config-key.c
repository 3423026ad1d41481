/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "answerd/config-key.h"
#include "base/macros.h"
#include "runner.h"
#include "serve/settings.h"

static int read_rate(const char *value, uint64_t *cost_ns, const char **ret_expected)
{
    const struct config_key *key = config_key_find(config_listener_keys, "RateLimit");
    struct settings settings = { .rules.message_cost_ns = *cost_ns };
    int r;

    ck_assert_ptr_nonnull(key);
    r = key->read(value, (char *)&settings + key->offset, ret_expected);
    *cost_ns = settings.rules.message_cost_ns;
    return r;
}

/* What is asked for fits into a second, and hardly more does, at the highest rates too. */
START_TEST(rate_limits_are_exact)
{
    static const char *const rates[] = { "1",      "3",      "7",      "1000",   "333333",
                                         "500001", "666666", "700000", "999999", "1000000" };
    const char *expected;

    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        uint64_t rate = strtoull(rates[i], NULL, 10), cost_ns = 0;

        ck_assert_int_eq(read_rate(rates[i], &cost_ns, &expected), 0);
        ck_assert_uint_gt(cost_ns, 0);
        ck_assert_uint_ge(UINT64_C(1000000000) / cost_ns, rate);
        ck_assert_uint_le(UINT64_C(1000000000) / cost_ns, rate + rate / 1000);
    }
}
END_TEST

START_TEST(no_rate_limit)
{
    uint64_t cost_ns = 7;
    const char *expected;

    ck_assert_int_eq(read_rate("infinity", &cost_ns, &expected), 0);
    ck_assert_uint_eq(cost_ns, 0);
}
END_TEST

START_TEST(no_such_rate)
{
    static const char *const rates[] = {
        "", "0", "1000001", "-1", "1.5", "1K", "18446744073709551616"
    };

    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        const char *expected = NULL;
        uint64_t cost_ns = 7;

        ck_assert_int_eq(read_rate(rates[i], &cost_ns, &expected), -EINVAL);
        ck_assert_ptr_nonnull(expected);
        ck_assert_uint_eq(cost_ns, 7);
    }
}
END_TEST

/* Each key's default is what the text says, as far as it can be read. */
START_TEST(defaults_are_as_written)
{
    struct settings *fresh = settings_new("x", RECORD_JOURNAL),
                    *read = settings_new("x", RECORD_NONE);
    const struct config_key *key = config_listener_keys;
    const char *expected;

    ck_assert(fresh && read);
    for (; key->name; key++) {
        ck_assert_int_eq(key->read(key->standard, (char *)read + key->offset, &expected), 0);
        ck_assert_msg(memcmp((char *)read + key->offset, (char *)fresh + key->offset, 4) == 0,
                      "%s=%s", key->name, key->standard);
    }
    ck_assert_int_eq(key - config_listener_keys, CONFIG_LISTENER_KEYS);
    settings_unref(fresh);
    settings_unref(read);
    for (key = config_server_keys; key->name; key++)
        ck_assert_ptr_nonnull(key->standard);
    ck_assert_int_eq(key - config_server_keys, CONFIG_SERVER_KEYS);
}
END_TEST

/* A changed [Log] takes effect at the next start, and a reload says so: whatever key it is. */
START_TEST(every_key_of_the_log_makes_a_difference)
{
    static const char *const changed[CONFIG_LOG_KEYS] = { "/elsewhere", "1",  "1s", "1G",
                                                          "none",       "1M", "1s", "wait" };

    for (size_t i = 0; i < CONFIG_LOG_KEYS; i++) {
        const struct config_key *key = &config_log_keys[i];
        struct log_settings before, after;
        const char *expected;

        log_settings_default(&before);
        log_settings_default(&after);
        ck_assert(log_settings_equal(&before, &after));
        ck_assert_int_eq(key->read(changed[i], (char *)&after + key->offset, &expected), 0);
        ck_assert_msg(!log_settings_equal(&before, &after), "%s=", key->name);
        free(after.directory);
    }
    ck_assert_ptr_null(config_log_keys[CONFIG_LOG_KEYS].name);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("config-key");
    TCase *cases = tcase_create("config-key");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, rate_limits_are_exact);
    tcase_add_test(cases, no_rate_limit);
    tcase_add_test(cases, no_such_rate);
    tcase_add_test(cases, defaults_are_as_written);
    tcase_add_test(cases, every_key_of_the_log_makes_a_difference);
    suite_add_tcase(suite, cases);
    return suite;
}
