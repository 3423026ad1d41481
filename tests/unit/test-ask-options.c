/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>

#include "ask/options.h"
#include "ask/render-json.h"
#include "base/macros.h"
#include "base/parse.h"
#include "runner.h"

#define WORDS_MAX 15

/* The words after the program's name; the error, "" where there is none. */
struct command {
    const char *words[WORDS_MAX];
    const char *error;
};

static int parse(const char *const *words, struct options *ret, char *error)
{
    /* The options point into it. */
    static char *argv[WORDS_MAX + 2] = { (char *)"ask" };
    int argc = 1;

    while (words[argc - 1]) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    argv[argc] = NULL;
    error[0] = '\0';
    return ask_options_parse(argc, argv, ret, error);
}

static const struct command wrong[] = {
    { { NULL }, "ADDRESS is missing. Try --help." },
    { { "--hex" }, "ADDRESS is missing. Try --help." },
    { { "-x", ":1" }, "unknown option '-x'. Try --help." },
    { { "-4x", ":1" }, "unknown option '-x'. Try --help." },
    { { ":1", "--nope", "a" }, "unknown option '--nope'. Try --help." },
    { { ":1", "--time-out=1" },
      "unknown option '--time-out'; did you mean '--timeout'? Try --help." },
    { { ":1", "--hex=1" }, "option '--hex' takes no value. Try --help." },
    { { ":1", "--h" }, "option '--h' is short for more than one. Try --help." },
    { { ":1", "-n" }, "option '-n' needs a value. Try --help." },
    { { ":1", "--timeout" }, "option '--timeout' needs a value. Try --help." },
    { { "localhost" },
      "localhost: the port is missing; write HOST:PORT, :PORT, [V6]:PORT, /path or @abstract" },
    { { "-f", "lines", ":1" }, "--framing: 'lines' is not line, length, netstring or chunk" },
    { { "-t", "soon", ":1" },
      "--timeout: 'soon' is not a time span like 500ms, 30s, 5min or infinity" },
    { { "-t", "0", ":1" }, "--timeout: must be longer than 0" },
    { { "-i", "-1", ":1", "a" },
      "--interval: '-1' is not a time span like 500ms, 30s, 5min or infinity" },
    { { "-n", "0", ":1", "a" }, "--count: '0' is not a number from 1" },
    { { "-n", "1x", ":1", "a" }, "--count: '1x' is not a number from 1" },
    { { "-n", "18446744073709551615", ":1", "a" },
      "--count: '18446744073709551615' is not a number from 1" },
    { { "--ca=a", ":1" }, "--ca needs --tls" },
    { { "--cert=a", "--key=b", ":1" }, "--cert needs --tls" },
    { { "--key=b", ":1" }, "--key needs --tls" },
    { { "--sni=a", ":1" }, "--sni needs --tls" },
    { { "--insecure", ":1" }, "--insecure needs --tls" },
    { { "--tls", "--key=b", ":1" }, "--key needs --cert" },
    { { "--tls", "/a" }, "/a: --tls needs --sni=NAME, since a UNIX socket has no host name" },
    { { "-n", "2", ":1" }, "--count and --interval need a MESSAGE to repeat" },
    { { "-i", "1s", ":1" }, "--count and --interval need a MESSAGE to repeat" },
    { { "--retry=-1", ":1" }, "--retry: '-1' is not a number" },
    { { "--max-reply=0", ":1" }, "--max-reply: '0' is not a size from 1 to 1G, like 64K" },
    { { "--max-reply=2G", ":1" }, "--max-reply: '2G' is not a size from 1 to 1G, like 64K" },
    { { "--json", "--hex", ":1" }, "--json and --hex cannot be used together" },
    { { "-4", "-6", ":1" }, "-4 and -6 cannot be used together" },
    { { "-6", "/run/x" }, "/run/x: -4 and -6 need HOST:PORT" },
    { { "-4", "[::1]:8080" }, "[::1]:8080: -4 cannot be used with an IPv6 address" },
    { { "-6", "127.0.0.1:1", "x" }, "127.0.0.1:1: -6 cannot be used with an IPv4 address" },
    { { "*:8080" }, "*:8080: * means any address; give the host to connect to" },
    { { "http://h:80/x" }, "http://h:80/x: this is a URL; give HOST:PORT" },
    { { "--expect=a", "--expect=b", ":1" }, "--expect: may be given only once" },
    { { ":1", "a\nb" }, "a message with a line break needs --framing=length or netstring" },
    { { "-f", "chunk", ":1", "" }, "an empty message cannot be sent with --framing=chunk" },
};

START_TEST(mistakes)
{
    char error[OPTIONS_ERROR_MAX];
    struct options o = { .reply_max = 4711 };

    if (!render_has_json() && strcmp(wrong[_i].words[0] ? wrong[_i].words[0] : "", "--json") == 0)
        return;
    ck_assert_int_eq(parse(wrong[_i].words, &o, error), -EINVAL);
    ck_assert_str_eq(error, wrong[_i].error);
    ck_assert_uint_eq(o.reply_max, 4711);
}
END_TEST

START_TEST(a_bad_expression)
{
    static const char *const words[] = { "--expect=a(", ":1", NULL };
    char error[OPTIONS_ERROR_MAX];
    struct options o;

    ck_assert_int_eq(parse(words, &o, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "--expect: 'a(': "));
}
END_TEST

START_TEST(defaults)
{
    static const char *const words[] = { "localhost:8080", NULL };
    char error[OPTIONS_ERROR_MAX];
    _cleanup_(ask_options_deinit) struct options o = { 0 };

    ck_assert_int_eq(parse(words, &o, error), 0);
    ck_assert_int_eq(o.action, ACTION_ASK);
    ck_assert_str_eq(o.address_text, "localhost:8080");
    ck_assert_str_eq(o.address.host, "localhost");
    ck_assert_int_eq(o.family, AF_UNSPEC);
    ck_assert_int_eq(o.framing, FRAMING_LINE);
    ck_assert_uint_eq(o.timeout_us, 30000000);
    ck_assert(!o.repeat);
    ck_assert(!o.quiet);
    ck_assert(!o.tls);
    ck_assert_uint_eq(o.retries, 0);
    ck_assert_uint_eq(o.reply_max, 16 << 20);
    ck_assert_int_eq(o.form, FORM_TEXT);
    ck_assert_ptr_null(o.expect_text);
    ck_assert_uint_eq(o.n_messages, 0);
}
END_TEST

START_TEST(everything)
{
    static const char *const words[] = { "-6",          "[::1]:1",       "first",
                                         "-fchunk",     "--timeout=5ms", "-n3",
                                         "-i",          "1min",          "--max-reply=64K",
                                         "--expect=^o", "--retry=7",     "-q",
                                         "--",          "-second",       NULL };
    char error[OPTIONS_ERROR_MAX];
    _cleanup_(ask_options_deinit) struct options o = { 0 };

    ck_assert_int_eq(parse(words, &o, error), 0);
    ck_assert_int_eq(o.family, AF_INET6);
    ck_assert_int_eq(o.framing, FRAMING_CHUNK);
    ck_assert_uint_eq(o.timeout_us, 5000);
    ck_assert(o.repeat);
    ck_assert(o.quiet);
    ck_assert_uint_eq(o.retries, 7);
    ck_assert_uint_eq(o.count, 3);
    ck_assert_uint_eq(o.interval_us, 60000000);
    ck_assert_uint_eq(o.reply_max, 65536);
    ck_assert_str_eq(o.expect_text, "^o");
    ck_assert_int_eq(regexec(&o.expect, "ok", 0, NULL, 0), 0);
    ck_assert_uint_eq(o.n_messages, 2);
    ck_assert_str_eq(o.messages[0], "first");
    ck_assert_str_eq(o.messages[1], "-second");
}
END_TEST

START_TEST(tls)
{
    static const char *const words[] = { "--tls",   "--ca=a",  "--cert", "b",
                                         "--key=c", "--sni=d", ":1",     NULL };
    static const char *const insecure[] = { "--tls", "--insecure", "/a", NULL };
    char error[OPTIONS_ERROR_MAX];
    struct options o = { 0 };

    ck_assert_int_eq(parse(words, &o, error), 0);
    ck_assert(o.tls);
    ck_assert(!o.tls_settings.insecure);
    ck_assert_str_eq(o.tls_settings.ca, "a");
    ck_assert_str_eq(o.tls_settings.certificate, "b");
    ck_assert_str_eq(o.tls_settings.key, "c");
    ck_assert_str_eq(o.tls_settings.name, "d");
    ck_assert_int_eq(parse(insecure, &o, error), 0);
    ck_assert(o.tls && o.tls_settings.insecure);
    ck_assert_ptr_null(o.tls_settings.name);
}
END_TEST

START_TEST(forms_and_spans)
{
    static const char *const json[] = { "--json", "--json", "-t", "infinity", "-i",
                                        "1s",     ":1",     "a",  NULL };
    static const char *const hex[] = { "--hex", "-4", "-4", ":1", NULL };
    char error[OPTIONS_ERROR_MAX];
    _cleanup_(ask_options_deinit) struct options o = { 0 };

    if (render_has_json()) {
        ck_assert_int_eq(parse(json, &o, error), 0);
        ck_assert_int_eq(o.form, FORM_JSON);
        ck_assert_uint_eq(o.timeout_us, SPAN_INFINITY);
        ck_assert_uint_eq(o.count, COUNT_ENDLESS);
    } else {
        ck_assert_int_eq(parse(json, &o, error), -EINVAL);
        ck_assert_str_eq(error, "--json: this ask was built without JSON");
    }
    ck_assert_int_eq(parse(hex, &o, error), 0);
    ck_assert_int_eq(o.form, FORM_HEX);
    ck_assert_int_eq(o.family, AF_INET);
}
END_TEST

/* What follows them is not looked at, so that help is always to be had. */
START_TEST(help_and_version)
{
    static const char *const help[] = { "-h", "--nope", NULL };
    static const char *const version[] = { "--version", NULL };
    char error[OPTIONS_ERROR_MAX];
    struct options o = { 0 };

    ck_assert_int_eq(parse(help, &o, error), 0);
    ck_assert_int_eq(o.action, ACTION_HELP);
    ck_assert_int_eq(parse(version, &o, error), 0);
    ck_assert_int_eq(o.action, ACTION_VERSION);
}
END_TEST

/* A terminal of 24 rows of 80 shows it, with a prompt below. */
START_TEST(help_fits_a_screen)
{
    int lines = 0;

    for (const char *s = ask_options_help; *s; s = strchr(s, '\n') + 1) {
        ck_assert_uint_lt(strcspn(s, "\n"), 80);
        lines++;
    }
    ck_assert_int_lt(lines, 24);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("ask-options");
    TCase *cases = tcase_create("ask-options");

    tcase_add_loop_test(cases, mistakes, 0, ARRAY_SIZE(wrong));
    tcase_add_test(cases, a_bad_expression);
    tcase_add_test(cases, defaults);
    tcase_add_test(cases, everything);
    tcase_add_test(cases, tls);
    tcase_add_test(cases, forms_and_spans);
    tcase_add_test(cases, help_and_version);
    tcase_add_test(cases, help_fits_a_screen);
    suite_add_tcase(suite, cases);
    return suite;
}
