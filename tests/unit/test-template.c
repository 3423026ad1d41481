/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"
#include "protocol/template.h"
#include "runner.h"

#define BYTES(text) text, sizeof(text) - 1

static const struct record record = {
    .data = (const uint8_t *)"a\0b{id}\\n",
    .size = 9,
    .id = "run-3-9",
    .peer = "192.0.2.1",
    .peer_port = "40000",
    .peer_name = "192.0.2.1:40000",
    .listener = "web",
    .connection = 3,
    .seq = 9,
    .origin = &(const struct record_origin){ .identity = "meter-17", .proxy = "", .proxy_id = "" },
};

static const struct {
    const char *template;
    const char *text;
    size_t n;
} renderings[] = {
    { "", BYTES("") },
    { "ok", BYTES("ok") },
    { "Grüße", BYTES("Grüße") },
    { "{{}}", BYTES("{}") },
    { "{{message}}", BYTES("{message}") },
    { "{{{seq}}}", BYTES("{9}") },
    { "}}{{", BYTES("}{") },
    { "\\n\\r\\t\\\\", BYTES("\n\r\t\\") },
    { "\\x00\\xff\\xAb\\x7B", BYTES("\0\xff\xab{") },
    { "\\x41B", BYTES("AB") },
    { "{message}", BYTES("a\0b{id}\\n") },
    { "{message}{message}", BYTES("a\0b{id}\\na\0b{id}\\n") },
    { "{id}", BYTES("run-3-9") },
    { "{peer}", BYTES("192.0.2.1:40000") },
    { "{listener}", BYTES("web") },
    { "{seq}", BYTES("9") },
    { "{identity}", BYTES("meter-17") },
    { "{time}", BYTES("2023-11-14T22:13:20.123Z") },
    { "{seq}{id}", BYTES("9run-3-9") },
    { "got {seq}\\n{id} end", BYTES("got 9\nrun-3-9 end") },
};

START_TEST(renders_every_field)
{
    struct template *t = NULL;
    const char *error;
    size_t offset;
    _cleanup_(buffer_free) struct buffer *out = NULL;

    ck_assert_int_eq(template_compile(renderings[_i].template, &t, &error, &offset), 0);
    ck_assert_int_eq(buffer_append(&out, "before", 6), 0);
    ck_assert_int_eq(template_render(t, &record, 1700000000123456, &out), 0);
    ck_assert_uint_eq(buffer_size(out), 6 + renderings[_i].n);
    ck_assert_mem_eq(buffer_head(out), "before", 6);
    ck_assert(memcmp(buffer_head(out) + 6, renderings[_i].text, renderings[_i].n) == 0);
    template_free(t);
}
END_TEST

START_TEST(refuses)
{
    static const struct {
        const char *template;
        size_t offset;
    } bad[] = {
        { "{", 0 },        { "ok {", 3 },      { "}", 0 },     { "{id}}", 4 }, { "{}", 0 },
        { "{ id}", 0 },    { "{Id}", 0 },      { "{idx}", 0 }, { "{i}", 0 },   { "{id", 0 },
        { "a{id\\n}", 1 }, { "{{id}", 4 },     { "\\", 0 },    { "ok\\", 2 },  { "\\q", 0 },
        { "\\x", 0 },      { "\\x1", 0 },      { "\\xg0", 0 }, { "\\x0g", 0 }, { "\\X00", 0 },
        { "\\0", 0 },      { "{id}{id}{", 8 }, { "{{{", 2 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct template *t = NULL;
        const char *error = NULL;
        size_t offset = 99;

        ck_assert_msg(template_compile(bad[i].template, &t, &error, &offset) == -EINVAL,
                      "\"%s\" was taken", bad[i].template);
        ck_assert_ptr_null(t);
        ck_assert_ptr_nonnull(error);
        ck_assert_msg(offset == bad[i].offset, "\"%s\": at %zu", bad[i].template, offset);
    }
}
END_TEST

START_TEST(knows_constant_templates)
{
    struct template *t;
    const uint8_t *bytes;
    const char *error;
    size_t offset, n = 99;

    ck_assert_int_eq(template_compile("\\x00{{", &t, &error, &offset), 0);
    bytes = template_constant(t, &n);
    ck_assert_uint_eq(n, 2);
    ck_assert_mem_eq(bytes, "\0{", 2);
    ck_assert(!template_uses_peer(t));
    template_free(t);

    ck_assert_int_eq(template_compile("", &t, &error, &offset), 0);
    ck_assert_ptr_nonnull(template_constant(t, &n));
    ck_assert_uint_eq(n, 0);
    template_free(t);

    ck_assert_int_eq(template_compile("a{seq}", &t, &error, &offset), 0);
    ck_assert_ptr_null(template_constant(t, &n));
    ck_assert(!template_uses_peer(t));
    template_free(t);

    ck_assert_int_eq(template_compile("{peer}{seq}", &t, &error, &offset), 0);
    ck_assert(template_uses_peer(t));
    template_free(t);
    template_free(NULL);
}
END_TEST

START_TEST(times_in_utc)
{
    static const struct {
        uint64_t us;
        const char *text;
    } examples[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 951782399999999, "2000-02-28T23:59:59.999Z" },
        { 951782400000000, "2000-02-29T00:00:00.000Z" },
        { 4102444799000999, "2099-12-31T23:59:59.000Z" },
        { 253402300799999000, "9999-12-31T23:59:59.999Z" },
    };
    struct template *t;
    const char *error;
    size_t offset;

    ck_assert_int_eq(template_compile("{time}", &t, &error, &offset), 0);
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        _cleanup_(buffer_free) struct buffer *out = NULL;

        ck_assert_int_eq(template_render(t, &record, examples[i].us, &out), 0);
        ck_assert_uint_eq(buffer_size(out), strlen(examples[i].text));
        ck_assert_mem_eq(buffer_head(out), examples[i].text, strlen(examples[i].text));
    }
    template_free(t);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("template");
    TCase *cases = tcase_create("template");

    tcase_add_loop_test(cases, renders_every_field, 0, ARRAY_SIZE(renderings));
    tcase_add_test(cases, refuses);
    tcase_add_test(cases, knows_constant_templates);
    tcase_add_test(cases, times_in_utc);
    suite_add_tcase(suite, cases);
    return suite;
}
