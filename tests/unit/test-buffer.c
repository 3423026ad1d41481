/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "random.h"
#include "runner.h"

START_TEST(empty_is_null)
{
    struct buffer *b = NULL;

    ck_assert_uint_eq(buffer_size(b), 0);
    ck_assert_uint_eq(buffer_room(b), 0);
    buffer_clear(b);
    buffer_truncate(b, 0);
    buffer_free(&b);
    ck_assert_ptr_null(b);
}
END_TEST

START_TEST(appends_and_consumes)
{
    _cleanup_(buffer_free) struct buffer *b = NULL;

    ck_assert_int_eq(buffer_append(&b, "hello ", 6), 0);
    ck_assert_int_eq(buffer_append(&b, "world", 5), 0);
    ck_assert_uint_eq(buffer_size(b), 11);
    ck_assert_mem_eq(buffer_head(b), "hello world", 11);
    buffer_consume(b, 6);
    ck_assert_mem_eq(buffer_head(b), "world", 5);
    buffer_truncate(b, 2);
    ck_assert_uint_eq(buffer_size(b), 2);
    ck_assert_int_eq(buffer_append(&b, "k", 1), 0);
    ck_assert_mem_eq(buffer_head(b), "wok", 3);
    buffer_clear(b);
    ck_assert_uint_eq(buffer_size(b), 0);
    ck_assert_uint_eq(buffer_room(b), b->capacity);
}
END_TEST

START_TEST(keeps_what_the_owner_noted)
{
    _cleanup_(buffer_free) struct buffer *b = NULL;
    char zeros[1000] = "";

    ck_assert_int_eq(buffer_append(&b, zeros, 50), 0);
    b->scanned = 40;
    b->stamp = 7;
    ck_assert_int_eq(buffer_append(&b, zeros, sizeof zeros), 0);
    ck_assert_uint_eq(b->scanned, 40);
    ck_assert_uint_eq(b->stamp, 7);
    buffer_consume(b, 30);
    ck_assert_uint_eq(b->scanned, 10);
    buffer_consume(b, 30);
    ck_assert_uint_eq(b->scanned, 0);
}
END_TEST

START_TEST(fails_cleanly_without_memory)
{
    _cleanup_(buffer_free) struct buffer *b = NULL;

    ck_assert_int_eq(buffer_reserve(&b, SIZE_MAX), -ENOMEM);
    ck_assert_ptr_null(b);
    ck_assert_int_eq(buffer_append(&b, "kept", 4), 0);
    ck_assert_int_eq(buffer_reserve(&b, SIZE_MAX), -ENOMEM);
    ck_assert_int_eq(buffer_reserve(&b, SIZE_MAX - 2), -ENOMEM);
    ck_assert_int_eq(buffer_reserve(&b, SIZE_MAX / 8), -ENOMEM);
    ck_assert_uint_eq(buffer_size(b), 4);
    ck_assert_mem_eq(buffer_head(b), "kept", 4);
}
END_TEST

START_TEST(reuses_an_emptied_buffer)
{
    _cleanup_(buffer_free) struct buffer *b = NULL;
    size_t capacity;

    ck_assert_int_eq(buffer_reserve(&b, 4096), 0);
    capacity = b->capacity;
    for (int i = 0; i < 10; i++) {
        memset(buffer_tail(b), i, capacity);
        buffer_commit(b, capacity);
        buffer_consume(b, capacity);
        ck_assert_int_eq(buffer_reserve(&b, capacity), 0);
    }
    ck_assert_uint_eq(b->capacity, capacity);
}
END_TEST

/* A long queue through which bytes pass must not be copied for each of them, nor grow. */
START_TEST(long_queues_move_seldom)
{
    for (size_t size = 1; size <= 5000; size = size * 3 / 2 + 1) {
        _cleanup_(buffer_free) struct buffer *b = NULL;
        uint8_t bytes[8192] = { 0 };
        size_t copied = 0, appended = 100 * size;

        ck_assert_int_eq(buffer_append(&b, bytes, size), 0);
        for (size_t i = 0; i < appended; i++) {
            const uint8_t *head;

            buffer_consume(b, 1);
            head = buffer_head(b);
            if (buffer_append(&b, bytes, 1) < 0)
                ck_abort_msg("no memory");
            if (buffer_head(b) != head)
                copied += size;
        }
        ck_assert_uint_le(copied, 2 * appended + 4 * size);
        ck_assert_uint_le(b->capacity, MAX(4 * size, (size_t)128));
    }
}
END_TEST

/* Random operations against a plain array. */
START_TEST(agrees_with_a_plain_array)
{
    static uint8_t model[1 << 20];
    uint64_t random = 1;
    _cleanup_(buffer_free) struct buffer *b = NULL;
    size_t start = 0, end = 0, peak = 0;

    for (int i = 0; i < 100000 && end < sizeof model - 8192; i++) {
        size_t n = random_magnitude(&random, 10);
        uint8_t *tail = model + end;

        switch (random_below(&random, 4)) {
        case 0:
        case 1:
            for (size_t k = 0; k < n; k++)
                tail[k] = (uint8_t)random_next(&random);
            if (random_below(&random, 2)) {
                ck_assert_int_eq(buffer_append(&b, tail, n), 0);
            } else {
                ck_assert_int_eq(buffer_reserve(&b, n), 0);
                ck_assert_uint_ge(buffer_room(b), n);
                memcpy(buffer_tail(b), tail, n);
                buffer_commit(b, n);
            }
            end += n;
            break;
        case 2:
            n = MIN(n, end - start);
            if (b)
                buffer_consume(b, n);
            start += n;
            break;
        default:
            n = MIN(n / 8, end - start);
            buffer_truncate(b, end - start - n);
            end -= n;
            break;
        }
        peak = MAX(peak, end - start + n);
        if (buffer_size(b) != end - start ||
            (b && memcmp(buffer_head(b), model + start, end - start)))
            ck_abort_msg("operation %d: other bytes than the model", i);
    }
    ck_assert_uint_le(b->capacity, 4 * peak);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("buffer");
    TCase *cases = tcase_create("buffer");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, empty_is_null);
    tcase_add_test(cases, appends_and_consumes);
    tcase_add_test(cases, keeps_what_the_owner_noted);
    tcase_add_test(cases, fails_cleanly_without_memory);
    tcase_add_test(cases, reuses_an_emptied_buffer);
    tcase_add_test(cases, long_queues_move_seldom);
    tcase_add_test(cases, agrees_with_a_plain_array);
    suite_add_tcase(suite, cases);
    return suite;
}
