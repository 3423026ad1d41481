/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ask/pending.h"
#include "base/macros.h"
#include "runner.h"

/* Message i, of a size that changes, empty ones among them. */
static size_t message(unsigned int i, char text[static 32])
{
    size_t n = (size_t)snprintf(text, 32, "%u%.*s", i, (int)(i % 13), "abcdefghijklmnop");

    return i % 5 == 0 ? 0 : n;
}

static void push(struct pending *p, unsigned int i)
{
    char text[32];
    size_t n = message(i, text);

    ck_assert_int_eq(pending_push(p, text, n, i), 0);
}

static void expect(struct pending *p, unsigned int i)
{
    struct pending_message got;
    char text[32];
    size_t n = message(i, text);

    ck_assert(pending_pop(p, &got));
    ck_assert_uint_eq(got.sent_us, i);
    ck_assert_uint_eq(got.size, n);
    if (p->keep_text)
        ck_assert_mem_eq(got.text, text, n);
    else
        ck_assert_ptr_null(got.text);
}

START_TEST(texts_from_the_oldest_on)
{
    _cleanup_(pending_deinit) struct pending p;
    unsigned int in = 0, out = 0;
    size_t offset = 0, size;
    char text[32];

    pending_init(&p, true);
    while (in < 100)
        push(&p, in++);
    while (out < 47)
        expect(&p, out++);
    while (in < 130)
        push(&p, in++);
    for (size_t i = 0; i < p.count; i++) {
        const void *got = pending_text(&p, i, &offset, &size);

        ck_assert_uint_eq(size, message(out + (unsigned int)i, text));
        ck_assert(size == 0 || memcmp(got, text, size) == 0);
    }
    pending_clear(&p);
    ck_assert_uint_eq(p.count, 0);
    ck_assert_uint_eq(p.bytes, 0);
    push(&p, 7);
    expect(&p, 7);
}
END_TEST

START_TEST(in_order_while_it_grows_and_wraps)
{
    _cleanup_(pending_deinit) struct pending p;
    unsigned int in = 0, out = 0;

    pending_init(&p, _i == 1);
    for (unsigned int round = 0; round < 400; round++) {
        for (unsigned int i = 0; i < round % 29; i++)
            push(&p, in++);
        for (unsigned int i = 0; i < round % 23 && out < in; i++)
            expect(&p, out++);
        ck_assert_uint_eq(p.count, in - out);
    }
    ck_assert_uint_gt(in - out, 100);
    while (out < in)
        expect(&p, out++);
    ck_assert_uint_eq(p.bytes, 0);
    ck_assert(!pending_pop(&p, &(struct pending_message){ 0 }));
}
END_TEST

START_TEST(memory_is_that_of_the_window)
{
    _cleanup_(pending_deinit) struct pending p;

    pending_init(&p, true);
    for (unsigned int i = 0; i < 100; i++)
        push(&p, i);
    for (unsigned int i = 100; i < 200000; i++) {
        push(&p, i);
        expect(&p, i - 100);
    }
    ck_assert_uint_eq(p.capacity, 128);
    ck_assert_uint_le(p.texts->capacity, 8192);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("ask-pending");
    TCase *cases = tcase_create("ask-pending");

    tcase_add_test(cases, texts_from_the_oldest_on);
    tcase_add_loop_test(cases, in_order_while_it_grows_and_wraps, 0, 2);
    tcase_add_test(cases, memory_is_that_of_the_window);
    suite_add_tcase(suite, cases);
    return suite;
}
