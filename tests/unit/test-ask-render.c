/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdbool.h>
#include <string.h>

#include "ask/render-json.h"
#include "ask/render.h"
#include "base/macros.h"
#include "runner.h"

struct rendering {
    struct render how;
    const char *reply;
    size_t size;
    const char *shown;
};

#define REPLY(bytes) bytes, sizeof(bytes) - 1

static const struct rendering renderings[] = {
    /* A pipe gets what the server sent. */
    { { FORM_TEXT, FRAMING_LINE, false }, REPLY("ok"), "ok\n" },
    { { FORM_TEXT, FRAMING_LINE, false }, REPLY(""), "\n" },
    { { FORM_TEXT, FRAMING_LINE, false }, REPLY("\033[2J\\\xff"), "\033[2J\\\xff\n" },
    { { FORM_TEXT, FRAMING_LENGTH, false }, REPLY("a\n"), "a\n\n" },
    { { FORM_TEXT, FRAMING_CHUNK, false }, REPLY("a\n"), "a\n" },
    { { FORM_TEXT, FRAMING_CHUNK, false }, REPLY("a"), "a\n" },
    /* A terminal gets nothing to act upon. */
    { { FORM_TEXT, FRAMING_LINE, true }, REPLY("\033[2J\a\x7f"), "\\x1b[2J\\x07\\x7f\n" },
    { { FORM_TEXT, FRAMING_LINE, true }, REPLY("\xc2\x9b\xff"), "\\xc2\\x9b\\xff\n" },
    { { FORM_TEXT, FRAMING_LINE, true }, REPLY("你好 é"), "你好 é\n" },
    { { FORM_TEXT, FRAMING_LENGTH, true }, REPLY("a\nb"), "a\\nb\n" },
    { { FORM_TEXT, FRAMING_CHUNK, true }, REPLY("a\r\n\033b\n"), "a\n\\x1bb\n" },
    { { FORM_TEXT, FRAMING_CHUNK, true }, REPLY("a\n\nb"), "a\n\nb\n" },
    /* What hexdump -C prints. */
    { { FORM_HEX, FRAMING_LINE, false }, REPLY(""), "00000000\n" },
    { { FORM_HEX, FRAMING_LINE, true },
      REPLY("0123456789abcdef\n\xff"),
      "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n"
      "00000010  0a ff                                             |..|\n"
      "00000012\n" },
};

static const struct rendering json[] = {
    { { FORM_JSON, FRAMING_LINE, false },
      REPLY("ok \"1\"\n"),
      "{\"number\":7,\"message\":\"é\",\"reply\":\"ok "
      "\\\"1\\\"\\n\",\"bytes\":7,\"rtt_us\":42}\n" },
    { { FORM_JSON, FRAMING_LINE, false },
      REPLY("a\0b"),
      "{\"number\":7,\"message\":\"é\",\"reply\":\"a\\u0000b\",\"bytes\":3,\"rtt_us\":42}\n" },
    { { FORM_JSON, FRAMING_LINE, false },
      REPLY("\xff\xfe\xfd"),
      "{\"number\":7,\"message\":\"é\",\"reply_base64\":\"//79\",\"bytes\":3,\"rtt_us\":42}\n" },
    { { FORM_JSON, FRAMING_LINE, false },
      REPLY("\xff"),
      "{\"number\":7,\"message\":\"é\",\"reply_base64\":\"/w==\",\"bytes\":1,\"rtt_us\":42}\n" },
    { { FORM_JSON, FRAMING_LINE, false },
      REPLY("x\xff"),
      "{\"number\":7,\"message\":\"é\",\"reply_base64\":\"eP8=\",\"bytes\":2,\"rtt_us\":42}\n" },
    /* U+009B begins an escape sequence, and JSON would let it through. */
    { { FORM_JSON, FRAMING_LINE, true },
      REPLY("\xc2\x9b"),
      "{\"number\":7,\"message\":\"\\u00E9\",\"reply\":\"\\u009B\",\"bytes\":2,\"rtt_us\":42}\n" },
    /* U+202E turns the direction of what follows. */
    { { FORM_JSON, FRAMING_LINE, true },
      REPLY("\xe2\x80\xae"),
      "{\"number\":7,\"message\":\"\\u00E9\",\"reply\":\"\\u202E\",\"bytes\":3,\"rtt_us\":42}\n" },
    /* What is harmless stays readable, beside controls that JSON escapes by itself. */
    { { FORM_JSON, FRAMING_LINE, true },
      REPLY("\t\xc3\xa9"),
      "{\"number\":7,\"message\":\"\xc3\xa9\",\"reply\":\"\\t\xc3\xa9\",\"bytes\":3,\"rtt_us\":42}"
      "\n" },
};

static void check(const struct rendering *r)
{
    _cleanup_(buffer_free) struct buffer *out = NULL;
    struct answer answer = {
        .number = 7,
        .message = "é",
        .message_size = strlen("é"),
        .rtt_us = 42,
        .reply = (const uint8_t *)r->reply,
        .size = r->size,
    };

    ck_assert_int_eq(buffer_append(&out, "before\n", 7), 0);
    ck_assert_int_eq(render_reply(&r->how, &answer, &out), 0);
    buffer_consume(out, 7);
    ck_assert_uint_eq(buffer_size(out), strlen(r->shown));
    ck_assert_mem_eq(buffer_head(out), r->shown, strlen(r->shown));
}

START_TEST(text_and_hex)
{
    check(&renderings[_i]);
}
END_TEST

START_TEST(as_json)
{
    if (render_has_json())
        check(&json[_i]);
}
END_TEST

START_TEST(what_was_not_asked)
{
    static const struct render how = { FORM_JSON, FRAMING_LINE, false };
    _cleanup_(buffer_free) struct buffer *out = NULL;
    struct answer answer = { .number = 1, .reply = (const uint8_t *)"hi", .size = 2 };
    const char *shown = "{\"number\":1,\"reply\":\"hi\",\"bytes\":2}\n";

    if (!render_has_json())
        return;
    ck_assert_int_eq(render_reply(&how, &answer, &out), 0);
    ck_assert_uint_eq(buffer_size(out), strlen(shown));
    ck_assert_mem_eq(buffer_head(out), shown, strlen(shown));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("ask-render");
    TCase *cases = tcase_create("ask-render");

    tcase_add_loop_test(cases, text_and_hex, 0, ARRAY_SIZE(renderings));
    tcase_add_loop_test(cases, as_json, 0, ARRAY_SIZE(json));
    tcase_add_test(cases, what_was_not_asked);
    suite_add_tcase(suite, cases);
    return suite;
}
