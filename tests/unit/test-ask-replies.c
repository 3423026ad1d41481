/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ask/replies.h"
#include "base/macros.h"
#include "runner.h"

/* A server's stream, and the replies in it: each as "[TEXT]", then how it ended. */
struct stream {
    enum framing framing;
    const char *bytes;
    size_t n;
    const char *replies;
};

#define STREAM(framing, bytes, replies)                                                            \
    {                                                                                              \
        framing, bytes, sizeof(bytes) - 1, replies                                                 \
    }

#define MAX_REPLY 8

static const struct stream streams[] = {
    STREAM(FRAMING_LINE, "", "end"),
    STREAM(FRAMING_LINE, "ok\n", "[ok]end"),
    STREAM(FRAMING_LINE, "a\r\nb\n\n\r\nrest", "[a][b][][]rest of 4"),
    STREAM(FRAMING_LINE, "\xe4\xbd\xa0\n\xff\x01\n", "[\xe4\xbd\xa0][\xff\x01]end"),
    STREAM(FRAMING_LINE, "12345678\n12345678\r\n", "[12345678][12345678]end"),
    STREAM(FRAMING_LINE, "ok\n123456789\n", "[ok]message too long"),
    STREAM(FRAMING_LENGTH, "\0\0\0\2ok\0\0\0\0\0\0\0\1x", "[ok][][x]end"),
    STREAM(FRAMING_LENGTH, "\0\0\0\2ok\0\0\0\2o", "[ok]rest of 5"),
    STREAM(FRAMING_LENGTH, "\0\0\0\11", "message too long"),
    STREAM(FRAMING_LENGTH, "\xff\xff\xff\xff", "message too long"),
    STREAM(FRAMING_NETSTRING, "2:ok,0:,", "[ok][]end"),
    STREAM(FRAMING_NETSTRING, "2:ok,3:o", "[ok]rest of 3"),
    STREAM(FRAMING_NETSTRING, "2:ok;", "malformed message"),
    STREAM(FRAMING_NETSTRING, "1:a,HTTP/1.1 400\r\n", "[a]malformed message"),
    STREAM(FRAMING_NETSTRING, "99999999999999999999:", "message too long"),
};

struct told {
    char text[256];
    bool failed;
};

static void take(struct replies *r, struct told *told)
{
    struct frame reply;
    size_t n = strlen(told->text);
    int got;

    while ((got = replies_next(r, &reply)) == 1) {
        told->text[n++] = '[';
        memcpy(told->text + n, reply.data, reply.size);
        n += reply.size;
        told->text[n++] = ']';
        told->text[n] = '\0';
    }
    if (got < 0) {
        /* It stays so. */
        ck_assert_int_eq(replies_next(r, &reply), got);
        strcpy(told->text + n, frame_error_text((enum frame_error) - got));
        told->failed = true;
    }
}

/* Feeds the stream in pieces: up to `first`, from there to `second`, then the rest; step by step
 * where step is not 0. */
static void tell(const struct stream *s, size_t first, size_t second, size_t step,
                 struct told *told)
{
    _cleanup_(replies_deinit) struct replies r;
    const uint8_t *bytes;
    size_t rest;

    *told = (struct told){ 0 };
    replies_init(&r, s->framing, MAX_REPLY);
    for (size_t at = 0, end; at < s->n && !told->failed; at = end) {
        end = step > 0 ? at + step : at < first ? first : at < second ? second : s->n;
        end = MIN(end, s->n);
        ck_assert_int_eq(replies_feed(&r, s->bytes + at, end - at), 0);
        take(&r, told);
    }
    if (told->failed)
        return;
    rest = replies_rest(&r, &bytes);
    if (rest == 0)
        strcat(told->text, "end");
    else
        (void)sprintf(told->text + strlen(told->text), "rest of %zu", rest);
    if (rest > 0)
        ck_assert_mem_eq(bytes, s->bytes + s->n - rest, rest);
    replies_clear(&r);
    ck_assert_uint_eq(replies_rest(&r, &bytes), 0);
}

START_TEST(whole)
{
    struct told told;

    tell(&streams[_i], 0, 0, 0, &told);
    ck_assert_str_eq(told.text, streams[_i].replies);
}
END_TEST

START_TEST(cut_at_every_offset)
{
    const struct stream *s = &streams[_i];
    struct told told;

    for (size_t first = 0; first <= s->n; first++)
        for (size_t second = first; second <= s->n; second++) {
            tell(s, first, second, 0, &told);
            ck_assert_str_eq(told.text, s->replies);
        }
    tell(s, 0, 0, 1, &told);
    ck_assert_str_eq(told.text, s->replies);
}
END_TEST

START_TEST(a_chunk_is_what_was_fed)
{
    _cleanup_(replies_deinit) struct replies r;
    struct frame reply;

    replies_init(&r, FRAMING_CHUNK, MAX_REPLY);
    ck_assert_int_eq(replies_next(&r, &reply), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(replies_feed(&r, "a\nb", 3), 0);
        ck_assert_int_eq(replies_next(&r, &reply), 1);
        ck_assert_mem_eq(reply.data, "a\nb", 3);
        ck_assert_uint_eq(reply.size, 3);
        ck_assert_int_eq(replies_next(&r, &reply), 0);
    }
    ck_assert_int_eq(replies_feed(&r, "123456789", 9), 0);
    ck_assert_int_eq(replies_next(&r, &reply), -FRAME_TOO_LONG);
}
END_TEST

START_TEST(nothing_is_allocated_for_a_claim)
{
    _cleanup_(replies_deinit) struct replies r;
    struct frame reply;

    replies_init(&r, FRAMING_LENGTH, (size_t)1 << 30);
    ck_assert_int_eq(replies_feed(&r, "\x3f\xff\xff\xff", 4), 0);
    ck_assert_int_eq(replies_next(&r, &reply), 0);
    ck_assert_uint_le(r.in->capacity, 4096);
}
END_TEST

/* Many replies in little memory: what was taken does not pile up. */
START_TEST(memory_stays_small)
{
    _cleanup_(replies_deinit) struct replies r;
    struct frame reply;
    char bytes[1000];
    size_t n = 0;

    replies_init(&r, FRAMING_LINE, MAX_REPLY);
    for (int i = 0; i < 7000; i++) {
        /* 1000 is no multiple of 7: each read ends at another place of a line. */
        for (size_t j = 0; j < sizeof bytes; j++)
            bytes[j] = ((size_t)i * sizeof bytes + j) % 7 == 6 ? '\n' : 'x';
        ck_assert_int_eq(replies_feed(&r, bytes, sizeof bytes), 0);
        while (replies_next(&r, &reply) == 1) {
            ck_assert_uint_eq(reply.size, 6);
            n++;
        }
    }
    ck_assert_uint_eq(n, 1000000);
    ck_assert_uint_le(r.in->capacity, 8192);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("ask-replies");
    TCase *cases = tcase_create("ask-replies");

    tcase_add_loop_test(cases, whole, 0, ARRAY_SIZE(streams));
    tcase_add_loop_test(cases, cut_at_every_offset, 0, ARRAY_SIZE(streams));
    tcase_add_test(cases, a_chunk_is_what_was_fed);
    tcase_add_test(cases, nothing_is_allocated_for_a_claim);
    tcase_add_test(cases, memory_stays_small);
    suite_add_tcase(suite, cases);
    return suite;
}
