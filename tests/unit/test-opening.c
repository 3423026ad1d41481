/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "base/macros.h"
#include "protocol/opening.h"
#include "runner.h"
#include "session-driver.h"
#include "session-rules.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1
#define FRAMINGS    4
#define LONGEST_HEADER                                                                             \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901"

struct stream {
    const uint8_t *bytes;
    size_t n;
    enum frame_error error;
    size_t chunk_tells; /* bytes that the first read must have */
};

static const struct stream foreign[] = {
    { BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\nhello\n"), FRAME_PROXY, 11 },
    { BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 4000 80\r\n"), FRAME_PROXY, 11 },
    { BYTES("PROXY UNKNOWN\r\n"), FRAME_PROXY, 13 },
    { BYTES("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), FRAME_PROXY, 13 },
    { BYTES("PROXY TCP4 " LONGEST_HEADER "012345678901\r\n"), FRAME_PROXY, 11 },
    { BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\2hello\n"), FRAME_PROXY,
      5 },
    { BYTES("\x16\3\1\2\0\1\0\1\xfc\3\3"), FRAME_TLS, 3 },
    { BYTES("\x16\3\3\0\n\1\n"), FRAME_TLS, 3 },
    { BYTES("\x16\3\0\n\n\1\n"), FRAME_TLS, 3 },
};

/* It makes no difference whether the end of the stream is seen. */
static void expect_refused(const struct session_rules *rules, const struct stream *s,
                           const struct plan *plan, size_t n_records)
{
    enum session_status expected = s->error >= FRAME_PROXY ? SESSION_FOREIGN : SESSION_FAILED;

    for (int eof = 0; eof < 2; eof++) {
        struct outcome outcome;

        converse(rules, s->bytes, s->n, eof, plan, &outcome);
        if (outcome.status != expected || outcome.error != s->error ||
            outcome.n_records != n_records)
            ck_abort_msg("%s, cut at %zu: status %d, error %d, %zu records",
                         framing_name(rules->framing), plan->n_cuts ? plan->cuts[0] : 0,
                         (int)outcome.status, (int)outcome.error, outcome.n_records);
        outcome_deinit(&outcome);
    }
}

/* Empty lines are answered when they come, and the signature is still found. */
static size_t blank_lines(const struct stream *s, enum framing framing, size_t cut)
{
    return framing == FRAMING_LINE && s->bytes[0] == '\r' && cut <= 4 ? cut / 2 : 0;
}

START_TEST(refused_at_each_cut)
{
    const struct stream *s = &foreign[_i];

    for (enum framing f = 0; f < FRAMINGS; f++) {
        struct session_rules rules = rules_new(f, "ok", 200);
        size_t first = f == FRAMING_CHUNK ? s->chunk_tells : 0;

        for (size_t i = first; i <= s->n; i++)
            expect_refused(&rules, s, &(struct plan){ .cuts = &i, .n_cuts = 1 },
                           blank_lines(s, f, i));
        for (size_t i = MAX(first, (size_t)5); i < s->n; i++)
            for (size_t j = i + 1; j < s->n; j++) {
                const size_t cuts[] = { i, j };

                expect_refused(&rules, s, &(struct plan){ cuts, 2, 0, i * s->n + j }, 0);
            }
        if (f != FRAMING_CHUNK)
            expect_refused(&rules, s, &(struct plan){ .read_max = 1 }, blank_lines(s, f, 4));
        rules_deinit(&rules);
    }
}
END_TEST

/* The TLS version and record length look like a ClientHello, but are not. */
START_TEST(ordinary_messages_are_answered_at_once)
{
    static const struct stream streams[] = {
        { BYTES("P\n"), 0, 0 },
        { BYTES("PROX\n"), 0, 0 },
        { BYTES("PROXY TCP4 x\n"), 0, 0 },
        { BYTES("PROXY UNKNOWNS\r\n"), 0, 0 },
        { BYTES("PROXY TCP4 " LONGEST_HEADER "0123456789012\r\n"), 0, 0 },
        { BYTES("\n"), 0, 0 },
        { BYTES("\r\n"), 0, 0 },
        { BYTES("\x16\n"), 0, 0 },
        { BYTES("\x16\3\n"), 0, 0 },
        { BYTES("\x16\3\5\1\0\1\n"), 0, 0 },
        { BYTES("\x16\3\1\1\0\2\n"), 0, 0 },
        { BYTES("\x16\3\1\x41\0\1\n"), 0, 0 },
        { BYTES("GET / HTTP/1.1\r\n"), 0, 0 },
    };
    static const enum framing framings[] = { FRAMING_LINE, FRAMING_CHUNK };

    for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
        for (size_t k = 0; k < ARRAY_SIZE(framings); k++) {
            struct session_rules rules = rules_new(framings[k], "ok", 200);
            struct outcome outcome;

            converse(&rules, streams[i].bytes, streams[i].n, false, &(struct plan){ 0 }, &outcome);
            if (outcome.status != SESSION_HUNGRY || outcome.n_records != 1)
                ck_abort_msg("stream %zu: status %d, %zu records", i, (int)outcome.status,
                             outcome.n_records);
            outcome_deinit(&outcome);
            rules_deinit(&rules);
        }
}
END_TEST

START_TEST(held_back_bytes_are_taken_at_the_end)
{
    static const struct stream streams[] = {
        { BYTES("PROXY TCP4 192.0.2.1"), 0, 0 },
        { BYTES("\x16\3\1\2"), 0, 0 },
        { BYTES("PROX"), 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
        struct session_rules rules = rules_new(FRAMING_LINE, "ok", 200);
        struct outcome outcome;

        converse(&rules, streams[i].bytes, streams[i].n, false, &(struct plan){ 0 }, &outcome);
        ck_assert_uint_eq(outcome.n_records, 0);
        outcome_deinit(&outcome);
        converse(&rules, streams[i].bytes, streams[i].n, true, &(struct plan){ 0 }, &outcome);
        ck_assert_int_eq(outcome.status, SESSION_ENDED);
        ck_assert_uint_eq(outcome.n_records, 1);
        outcome_deinit(&outcome);
        rules_deinit(&rules);
    }
}
END_TEST

/* After the first messages, the same bytes are an ordinary message. */
START_TEST(only_the_first_message_is_checked)
{
    static const struct stream s = {
        BYTES("a\nb\nc\nPROXY TCP4 x\r\n\x16\3\1\1\0\1\nGET / HTTP/1.1\r\n"), 0, 0
    };
    struct session_rules rules = rules_new(FRAMING_LINE, "ok", 200);
    struct outcome outcome;

    rules.refuse_http = true;
    for (size_t i = 0; i < s.n; i++) {
        converse(&rules, s.bytes, s.n, true, &(struct plan){ .cuts = &i, .n_cuts = 1 }, &outcome);
        ck_assert_int_eq(outcome.status, SESSION_ENDED);
        ck_assert_uint_eq(outcome.n_records, 6);
        outcome_deinit(&outcome);
    }
    rules_deinit(&rules);
}
END_TEST

START_TEST(recognises_http_requests)
{
    static const struct stream requests[] = {
        { BYTES("GET / HTTP/1.1\r\nHost: x\r\n"), FRAME_HTTP, 0 },
        { BYTES("GET / HTTP/1.0\n"), FRAME_HTTP, 0 },
        { BYTES("POST /a?b=c HTTP/2.0\r\n"), FRAME_HTTP, 0 },
        { BYTES("M-SEARCH * HTTP/1.1\r\n"), FRAME_HTTP, 0 },
        { BYTES("CONNECT example.org:443 HTTP/1.1\r\n"), FRAME_HTTP, 0 },
        { BYTES("GET http://example.org/ HTTP/1.1\r\n"), FRAME_HTTP, 0 },
        { BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), FRAME_HTTP, 0 },
        { BYTES("GET /path\r\n"), FRAME_HTTP, 0 },
    };
    struct session_rules rules = rules_new(FRAMING_LINE, "ok", 200);

    rules.refuse_http = true;
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
        for (size_t cut = 0; cut < requests[i].n; cut++)
            expect_refused(&rules, &requests[i], &(struct plan){ .cuts = &cut, .n_cuts = 1 }, 0);
    rules_deinit(&rules);
}
END_TEST

START_TEST(takes_other_lines_as_messages)
{
    static const struct stream lines[] = {
        { BYTES("hello world\n"), 0, 0 },
        { BYTES("GET temperature\n"), 0, 0 },
        { BYTES("GET /dev/sensor now\n"), 0, 0 },
        { BYTES("temp /x\n"), 0, 0 },
        { BYTES("PUT  / HTTP/1.1\n"), 0, 0 },
        { BYTES(" GET / HTTP/1.1\n"), 0, 0 },
        { BYTES("GET / HTTP/1.1 \n"), 0, 0 },
        { BYTES("GET / HTTP/11\n"), 0, 0 },
        { BYTES("G(T / HTTP/1.1\n"), 0, 0 },
        { BYTES("GET\n"), 0, 0 },
        { BYTES("GET \n"), 0, 0 },
        { BYTES("\n"), 0, 0 },
    };
    struct session_rules rules = rules_new(FRAMING_LINE, "ok", 200);

    rules.refuse_http = true;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct outcome outcome;

        converse(&rules, lines[i].bytes, lines[i].n, false, &(struct plan){ 0 }, &outcome);
        if (outcome.status != SESSION_HUNGRY || outcome.n_records != 1)
            ck_abort_msg("line %zu: status %d", i, (int)outcome.status);
        outcome_deinit(&outcome);
    }
    rules_deinit(&rules);
}
END_TEST

/* A web page chooses the path, and so the length of the line. */
START_TEST(recognises_long_http_requests)
{
    enum { N = 20000 };
    static uint8_t line[N];
    struct stream s = { line, N, FRAME_HTTP, 0 };
    struct session_rules rules = rules_new(FRAMING_LINE, "ok", 200);

    memset(line, 'x', N);
    memcpy(line, "POST /", 6);
    memcpy(line + N - 10, " HTTP/1.1\n", 10);
    rules.refuse_http = true;
    rules.max_message = N;
    for (size_t cut = 0; cut < N; cut += 500)
        expect_refused(&rules, &s, &(struct plan){ .cuts = &cut, .n_cuts = 1 }, 0);
    rules.max_message = 100;
    s.error = FRAME_TOO_LONG;
    for (size_t cut = 0; cut < N; cut += 500)
        expect_refused(&rules, &s, &(struct plan){ .cuts = &cut, .n_cuts = 1 }, 0);
    rules_deinit(&rules);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("opening");
    TCase *cases = tcase_create("opening");

    tcase_add_loop_test(cases, refused_at_each_cut, 0, ARRAY_SIZE(foreign));
    tcase_add_test(cases, ordinary_messages_are_answered_at_once);
    tcase_add_test(cases, held_back_bytes_are_taken_at_the_end);
    tcase_add_test(cases, only_the_first_message_is_checked);
    tcase_add_test(cases, recognises_http_requests);
    tcase_add_test(cases, takes_other_lines_as_messages);
    tcase_add_test(cases, recognises_long_http_requests);
    suite_add_tcase(suite, cases);
    return suite;
}
