/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/macros.h"
#include "protocol/frame.h"
#include "random.h"
#include "runner.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

/* A stream and its meaning as text: each message, escaped, "^" if it ended in CR LF, and "|"; then
 * how the stream ends. */
struct example {
    enum framing framing;
    size_t max;
    const uint8_t *stream;
    size_t n;
    const char *meaning;
};

static const struct example examples[] = {
    { FRAMING_LINE, 5, BYTES(""), "end" },
    { FRAMING_LINE, 5, BYTES("\n"), "|end" },
    { FRAMING_LINE, 5, BYTES("\n\n\n"), "|||end" },
    { FRAMING_LINE, 5, BYTES("\r\n"), "^|end" },
    { FRAMING_LINE, 5, BYTES("a\nb\nc\n"), "a|b|c|end" },
    { FRAMING_LINE, 5, BYTES("a\r\nb\nc\r\n"), "a^|b|c^|end" },
    { FRAMING_LINE, 5, BYTES("\r\r\n\r"), "\\r^|\\r|end" },
    { FRAMING_LINE, 5, BYTES("a\rb\n"), "a\\rb|end" },
    { FRAMING_LINE, 5, BYTES("rest"), "rest|end" },
    { FRAMING_LINE, 5, BYTES("a\nrest"), "a|rest|end" },
    { FRAMING_LINE, 5, BYTES("a\r"), "a\\r|end" },
    { FRAMING_LINE, 5, BYTES("\0\xff\x1b\n"), "\\x00\\xff\\x1b|end" },
    { FRAMING_LINE, 5, BYTES("12345\n"), "12345|end" },
    { FRAMING_LINE, 5, BYTES("12345\r\n"), "12345^|end" },
    { FRAMING_LINE, 5, BYTES("12345"), "12345|end" },
    { FRAMING_LINE, 5, BYTES("1234\r\r\n"), "1234\\r^|end" },
    { FRAMING_LINE, 5, BYTES("12345\r"), "too long" },
    { FRAMING_LINE, 5, BYTES("12345\r\r\n"), "too long" },
    { FRAMING_LINE, 5, BYTES("12345\rx\n"), "too long" },
    { FRAMING_LINE, 5, BYTES("123456\n"), "too long" },
    { FRAMING_LINE, 5, BYTES("123456"), "too long" },
    { FRAMING_LINE, 5, BYTES("ab\n1234567\ncd\n"), "ab|too long" },
    { FRAMING_LINE, 0, BYTES("\n\r\n"), "|^|end" },
    { FRAMING_LINE, 0, BYTES("a\n"), "too long" },
    { FRAMING_LINE, 0, BYTES("\r"), "too long" },
    { FRAMING_LINE, SIZE_MAX, BYTES("a\nb"), "a|b|end" },

    { FRAMING_LENGTH, 5, BYTES(""), "end" },
    { FRAMING_LENGTH, 5, BYTES("\0\0\0\0"), "|end" },
    { FRAMING_LENGTH, 5, BYTES("\0\0\0\1a\0\0\0\3b\nc"), "a|b\\nc|end" },
    { FRAMING_LENGTH, 5, BYTES("\0\0\0\5\0\0\0\0\1"), "\\x00\\x00\\x00\\x00\\x01|end" },
    { FRAMING_LENGTH, 5, BYTES("\0\0\0\6"), "too long" },
    { FRAMING_LENGTH, 5, BYTES("\0\0\0\1a\0\0\0\006123456"), "a|too long" },
    { FRAMING_LENGTH, 5, BYTES("\1\0\0\0"), "too long" },
    { FRAMING_LENGTH, 5, BYTES("\xff\xff\xff\xff"), "too long" },
    { FRAMING_LENGTH, 5, BYTES("\x80\0\0\0rest"), "too long" },
    { FRAMING_LENGTH, UINT32_MAX, BYTES("\xff\xff\xff\xffrest"), "truncated" },
    { FRAMING_LENGTH, SIZE_MAX, BYTES("\xff\xff\xff\xffrest"), "truncated" },
    { FRAMING_LENGTH, 5, BYTES("\0"), "truncated" },
    { FRAMING_LENGTH, 5, BYTES("\0\0\0"), "truncated" },
    { FRAMING_LENGTH, 5, BYTES("\0\0\0\5"), "truncated" },
    { FRAMING_LENGTH, 5, BYTES("\0\0\0\1a\0\0\0\0051234"), "a|truncated" },
    { FRAMING_LENGTH, 0, BYTES("\0\0\0\0\0\0\0\1"), "|too long" },

    { FRAMING_NETSTRING, 5, BYTES(""), "end" },
    { FRAMING_NETSTRING, 5, BYTES("0:,"), "|end" },
    { FRAMING_NETSTRING, 5, BYTES("1:a,3:b,c,0:,"), "a|b,c||end" },
    { FRAMING_NETSTRING, 5, BYTES("5:1:2,3,"), "1:2,3|end" },
    { FRAMING_NETSTRING, 5, BYTES("5:\0\n\r\xff:,"), "\\x00\\n\\r\\xff:|end" },
    { FRAMING_NETSTRING, 12, BYTES("12:hello world!,"), "hello world!|end" },
    { FRAMING_NETSTRING, 5, BYTES("6:123456,"), "too long" },
    { FRAMING_NETSTRING, 5, BYTES("10:"), "too long" },
    { FRAMING_NETSTRING, 5, BYTES("1:a,6:123456,"), "a|too long" },
    { FRAMING_NETSTRING, 5, BYTES("18446744073709551616:"), "too long" },
    { FRAMING_NETSTRING, 5, BYTES("18446744073709551617:a,"), "too long" },
    { FRAMING_NETSTRING, SIZE_MAX, BYTES("18446744073709551616:,"), "too long" },
    { FRAMING_NETSTRING, SIZE_MAX, BYTES("18446744073709551617:a,"), "too long" },
    { FRAMING_NETSTRING, SIZE_MAX, BYTES("184467440737095516170:a,"), "too long" },
    { FRAMING_NETSTRING, SIZE_MAX, BYTES("99999999999999999999999999:a,"), "too long" },
    { FRAMING_NETSTRING, SIZE_MAX, BYTES("18446744073709551615:a,"), "truncated" },
    { FRAMING_NETSTRING, 5, BYTES("00:,"), "malformed" },
    { FRAMING_NETSTRING, 5, BYTES("01:a,"), "malformed" },
    { FRAMING_NETSTRING, 5, BYTES("1:a,03:abc,"), "a|malformed" },
    { FRAMING_NETSTRING, 5, BYTES(":,"), "malformed" },
    { FRAMING_NETSTRING, 5, BYTES("x"), "malformed" },
    { FRAMING_NETSTRING, 5, BYTES("-1:a,"), "malformed" },
    { FRAMING_NETSTRING, 5, BYTES("+1:a,"), "malformed" },
    { FRAMING_NETSTRING, 5, BYTES(" 1:a,"), "malformed" },
    { FRAMING_NETSTRING, 5, BYTES("1 :a,"), "malformed" },
    { FRAMING_NETSTRING, 5, BYTES("1;a,"), "malformed" },
    { FRAMING_NETSTRING, 5, BYTES("1:ab,"), "malformed" },
    { FRAMING_NETSTRING, 5, BYTES("2:a,1:b,"), "malformed" },
    { FRAMING_NETSTRING, 5, BYTES("1:a\n"), "malformed" },
    { FRAMING_NETSTRING, 5, BYTES("1:a,\n"), "a|malformed" },
    { FRAMING_NETSTRING, 5, BYTES("1"), "truncated" },
    { FRAMING_NETSTRING, 5, BYTES("1:"), "truncated" },
    { FRAMING_NETSTRING, 5, BYTES("1:a"), "truncated" },
    { FRAMING_NETSTRING, 5, BYTES("0:"), "truncated" },
    { FRAMING_NETSTRING, 0, BYTES("0:,1:"), "|too long" },
    { FRAMING_NETSTRING, 5, BYTES("GET / HTTP/1.1\r\n"), "malformed" },
};

static void write_frame(struct buffer **meaning, const struct frame *frame)
{
    char text[4096];

    ck_assert_int_eq(
        buffer_append(meaning, text, escape_text(frame->data, frame->size, text, sizeof text)), 0);
    ck_assert_int_eq(buffer_append(meaning, frame->crlf ? "^|" : "|", 1 + frame->crlf), 0);
}

/* All frames in the first n bytes. Returns the number of bytes used up. *ret_end is set at the end
 * of the stream or an error. */
static size_t read_frames(const struct example *e, const uint8_t *in, size_t n, bool eof,
                          size_t *scanned, struct buffer **meaning, const char **ret_end)
{
    static const char *const errors[] = { [FRAME_TOO_LONG] = "too long",
                                          [FRAME_MALFORMED] = "malformed",
                                          [FRAME_TRUNCATED] = "truncated" };
    size_t used = 0;

    for (;;) {
        struct frame frame;
        ssize_t r = frame_next(e->framing, e->max, in + used, n - used, eof, scanned, &frame);

        if (r < 0)
            *ret_end = errors[-r];
        else if (r == 0 && eof)
            *ret_end = "end";
        if (r <= 0)
            return used;
        if ((size_t)r > n - used || frame.size > e->max || frame.data < in ||
            frame.data + frame.size > in + n)
            ck_abort_msg("a frame outside of the bytes given");
        write_frame(meaning, &frame);
        used += (size_t)r;
        *scanned = 0;
    }
}

/* The meaning of the stream if it arrives in pieces that end at the cuts. Each piece is in separate
 * memory that ends with it. */
static struct buffer *read_cut(const struct example *e, const size_t *cuts, size_t n_cuts)
{
    struct buffer *meaning = NULL;
    size_t start = 0, scanned = 0;
    const char *end = NULL;

    for (size_t i = 0; i <= n_cuts && !end; i++) {
        size_t n = (i < n_cuts ? cuts[i] : e->n) - start;
        uint8_t *in = malloc(n > 0 ? n : 1);

        ck_assert_ptr_nonnull(in);
        memcpy(in, e->stream + start, n);
        start += read_frames(e, in, n, i == n_cuts, &scanned, &meaning, &end);
        free(in);
    }
    ck_assert_ptr_nonnull(end);
    ck_assert_int_eq(buffer_append(&meaning, end, strlen(end)), 0);
    return meaning;
}

static void check_cut(const struct example *e, const size_t *cuts, size_t n_cuts)
{
    _cleanup_(buffer_free) struct buffer *meaning = read_cut(e, cuts, n_cuts);

    if (buffer_size(meaning) != strlen(e->meaning) ||
        memcmp(buffer_head(meaning), e->meaning, strlen(e->meaning)))
        ck_abort_msg("%zu cuts, the first at %zu: \"%.*s\", not \"%s\"", n_cuts,
                     n_cuts > 0 ? cuts[0] : 0, (int)buffer_size(meaning), buffer_head(meaning),
                     e->meaning);
}

START_TEST(streams_cut_anywhere)
{
    const struct example *e = &examples[_i];
    size_t every[64];

    ck_assert_uint_lt(e->n, ARRAY_SIZE(every));
    check_cut(e, NULL, 0);
    for (size_t i = 0; i <= e->n; i++) {
        every[i] = i;
        check_cut(e, &i, 1);
        for (size_t j = i; j <= e->n; j++)
            check_cut(e, (const size_t[]){ i, j }, 2);
    }
    check_cut(e, every, e->n + 1);
}
END_TEST

/* How many bytes a peer can send before it gets an error. */
static size_t bytes_until_error(enum framing framing, size_t max, const uint8_t *in, size_t n)
{
    size_t scanned = 0;
    struct frame frame;

    for (size_t i = 0; i <= n; i++)
        if (frame_next(framing, max, in, i, false, &scanned, &frame) < 0)
            return i;
    return SIZE_MAX;
}

START_TEST(errors_come_early)
{
    ck_assert_uint_eq(bytes_until_error(FRAMING_LINE, 5, BYTES("1234567890")), 6);
    ck_assert_uint_eq(bytes_until_error(FRAMING_LINE, 5, BYTES("12345\r7890")), 7);
    ck_assert_uint_eq(bytes_until_error(FRAMING_LENGTH, 5, BYTES("\0\0\0\6...")), 4);
    ck_assert_uint_eq(bytes_until_error(FRAMING_LENGTH, 5, BYTES("\xff\xff\xff\xff...")), 4);
    ck_assert_uint_eq(bytes_until_error(FRAMING_NETSTRING, 64, BYTES("999999999:")), 2);
    ck_assert_uint_eq(bytes_until_error(FRAMING_NETSTRING, 64, BYTES("00000000:")), 2);
    ck_assert_uint_eq(bytes_until_error(FRAMING_NETSTRING, 64, BYTES("1:ab")), 4);
    ck_assert_uint_eq(bytes_until_error(FRAMING_NETSTRING, 64, BYTES("SSH-2.0")), 1);
}
END_TEST

START_TEST(lines_are_scanned_once)
{
    uint8_t in[100];
    size_t scanned = 0;
    struct frame frame;

    memset(in, 'a', sizeof in);
    ck_assert_int_eq(frame_next(FRAMING_LINE, 1000, in, 50, false, &scanned, &frame), 0);
    ck_assert_uint_eq(scanned, 50);
    in[20] = '\n'; /* a second scan would find it */
    in[70] = '\n';
    ck_assert_int_eq(frame_next(FRAMING_LINE, 1000, in, 100, false, &scanned, &frame), 71);
    ck_assert_uint_eq(frame.size, 70);
}
END_TEST

START_TEST(chunks_are_what_was_read)
{
    size_t scanned = 0;
    struct frame frame;

    ck_assert_int_eq(frame_next(FRAMING_CHUNK, 5, BYTES("a\nb\r\n"), false, &scanned, &frame), 5);
    ck_assert_uint_eq(frame.size, 5);
    ck_assert_mem_eq(frame.data, "a\nb\r\n", 5);
    ck_assert(!frame.crlf);
    ck_assert_int_eq(frame_next(FRAMING_CHUNK, 5, BYTES("a"), true, &scanned, &frame), 1);
    ck_assert_int_eq(frame_next(FRAMING_CHUNK, 5, BYTES(""), false, &scanned, &frame), 0);
    ck_assert_int_eq(frame_next(FRAMING_CHUNK, 5, BYTES(""), true, &scanned, &frame), 0);
    ck_assert_int_eq(frame_next(FRAMING_CHUNK, 5, BYTES("123456"), false, &scanned, &frame),
                     -FRAME_TOO_LONG);
}
END_TEST

static const enum framing all[] = { FRAMING_LINE, FRAMING_LENGTH, FRAMING_NETSTRING,
                                    FRAMING_CHUNK };

START_TEST(framings_have_names)
{
    static const char *const expected[] = { "line", "length", "netstring", "chunk" };
    enum framing framing = FRAMING_CHUNK;

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        ck_assert_str_eq(framing_name(all[i]), expected[i]);
        ck_assert_int_eq(framing_parse(expected[i], &framing), 0);
        ck_assert_int_eq(framing, all[i]);
    }
    ck_assert_int_eq(framing_parse("", &framing), -EINVAL);
    ck_assert_int_eq(framing_parse("Line", &framing), -EINVAL);
    ck_assert_int_eq(framing_parse("lines", &framing), -EINVAL);
    ck_assert_int_eq(framing, FRAMING_CHUNK);
    ck_assert_str_eq(frame_error_text(FRAME_TOO_LONG), "message too long");
    ck_assert_str_eq(frame_error_text(FRAME_MALFORMED), "malformed message");
    ck_assert_str_eq(frame_error_text(FRAME_TRUNCATED), "the stream ended inside a message");
}
END_TEST

/* The largest message of every framing fits in frame_size_max(). */
START_TEST(frame_size_max_bounds_every_framing)
{
    ck_assert_uint_eq(frame_size_max(FRAMING_LINE, 100), 100 + 2);
    ck_assert_uint_eq(frame_size_max(FRAMING_LENGTH, 100), 100 + 4);
    ck_assert_uint_ge(frame_size_max(FRAMING_NETSTRING, 100), 100 + 5);
    ck_assert_uint_eq(frame_size_max(FRAMING_CHUNK, 100), 100);
}
END_TEST

/* A length that does not fit in four bytes is refused, not sent wrong. */
START_TEST(too_long_for_its_header)
{
    struct buffer huge = { .capacity = SIZE_MAX, .end = UINT32_MAX + UINT64_C(5) };
    struct buffer *out = &huge;

    ck_assert_int_eq(frame_end(FRAMING_LENGTH, &out, 0, false), -EMSGSIZE);
    ck_assert_uint_eq(buffer_size(out), 0);
}
END_TEST

START_TEST(writes_frames_as_documented)
{
    static const struct {
        enum framing framing;
        bool crlf;
        const char *message;
        const char *bytes;
        size_t n;
    } cases[] = {
        { FRAMING_LINE, false, "hello", "hello\n", 6 },
        { FRAMING_LINE, true, "hello", "hello\r\n", 7 },
        { FRAMING_LINE, false, "", "\n", 1 },
        { FRAMING_LENGTH, false, "hello", "\0\0\0\5hello", 9 },
        { FRAMING_LENGTH, true, "", "\0\0\0\0", 4 },
        { FRAMING_NETSTRING, false, "hello", "5:hello,", 8 },
        { FRAMING_NETSTRING, true, "hello world!", "12:hello world!,", 16 },
        { FRAMING_NETSTRING, false, "", "0:,", 3 },
        { FRAMING_CHUNK, false, "hello", "hello", 5 },
        { FRAMING_CHUNK, true, "", "", 0 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(buffer_free) struct buffer *out = NULL, *empty = NULL;

        ck_assert_int_eq(frame_append(cases[i].framing, &empty, cases[i].message,
                                      strlen(cases[i].message), cases[i].crlf),
                         0);
        ck_assert_uint_eq(buffer_size(empty), cases[i].n);
        ck_assert_int_eq(buffer_append(&out, "before", 6), 0);
        ck_assert_int_eq(frame_append(cases[i].framing, &out, cases[i].message,
                                      strlen(cases[i].message), cases[i].crlf),
                         0);
        ck_assert_uint_eq(buffer_size(out), 6 + cases[i].n);
        ck_assert_mem_eq(buffer_head(out), "before", 6);
        ck_assert(memcmp(buffer_head(out) + 6, cases[i].bytes, cases[i].n) == 0);
    }
}
END_TEST

START_TEST(frames_without_a_payload)
{
    static const size_t sizes[] = { 1, 4, 3, 0 };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        _cleanup_(buffer_free) struct buffer *out = NULL;
        ssize_t start = frame_begin(all[i], &out);

        ck_assert_int_eq(start, 0);
        ck_assert_int_eq(frame_end(all[i], &out, (size_t)start, false), 0);
        ck_assert_uint_eq(buffer_size(out), sizes[i]);
    }
}
END_TEST

/* Frames are built in pieces, many into one buffer, and read back. */
START_TEST(what_is_sent_is_read_back)
{
    uint64_t random = 6;

    for (int round = 0; round < 300; round++) {
        enum framing framing = all[random_below(&random, 3)];
        _cleanup_(buffer_free) struct buffer *out = NULL, *messages = NULL;
        size_t n_messages = random_below(&random, 30), sizes[30], used = 0, scanned = 0;

        for (size_t i = 0; i < n_messages; i++) {
            ssize_t start = frame_begin(framing, &out);

            ck_assert_int_ge(start, 0);
            sizes[i] = random_magnitude(&random, 12);
            for (size_t k = 0; k < sizes[i]; k++) {
                uint8_t byte = (uint8_t)random_next(&random);

                if (framing == FRAMING_LINE && (byte == '\n' || byte == '\r'))
                    byte = '\0';
                if (buffer_append(&out, &byte, 1) < 0 || buffer_append(&messages, &byte, 1) < 0)
                    ck_abort_msg("no memory");
            }
            ck_assert_int_eq(frame_end(framing, &out, (size_t)start, random_below(&random, 2)), 0);
        }
        for (size_t i = 0; i < n_messages; i++) {
            struct frame frame;
            ssize_t r = frame_next(framing, 4096, buffer_head(out) + used, buffer_size(out) - used,
                                   true, &scanned, &frame);

            ck_assert_int_gt(r, 0);
            ck_assert_uint_eq(frame.size, sizes[i]);
            ck_assert_uint_le((size_t)r, frame_size_max(framing, sizes[i]));
            if (frame.size > 0) {
                ck_assert(memcmp(frame.data, buffer_head(messages), frame.size) == 0);
                buffer_consume(messages, frame.size);
            }
            used += (size_t)r;
        }
        ck_assert_uint_eq(used, buffer_size(out));
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("frame");
    TCase *cases = tcase_create("frame");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, streams_cut_anywhere, 0, ARRAY_SIZE(examples));
    tcase_add_test(cases, errors_come_early);
    tcase_add_test(cases, lines_are_scanned_once);
    tcase_add_test(cases, chunks_are_what_was_read);
    tcase_add_test(cases, framings_have_names);
    tcase_add_test(cases, frame_size_max_bounds_every_framing);
    tcase_add_test(cases, too_long_for_its_header);
    tcase_add_test(cases, writes_frames_as_documented);
    tcase_add_test(cases, frames_without_a_payload);
    tcase_add_test(cases, what_is_sent_is_read_back);
    suite_add_tcase(suite, cases);
    return suite;
}
