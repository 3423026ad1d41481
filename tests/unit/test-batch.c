/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "base/macros.h"
#include "random.h"
#include "record/batch.h"
#include "runner.h"

static struct batch batch;
static uint64_t added; /* records so far */

static void setup(void)
{
    memset(&batch, 0, sizeof batch);
    added = 0;
}

static void teardown(void)
{
    batch_free(&batch);
}

/* Adds a record of that size. Its bytes encode its number. */
static void add(size_t size)
{
    ck_assert_int_eq(buffer_reserve(&batch.bytes, size), 0);
    memset(buffer_tail(batch.bytes), (int)(added++ & 0xff), size);
    buffer_commit(batch.bytes, size);
    batch_keep(&batch);
}

static void check(uint64_t n, size_t size)
{
    size_t found;
    const uint8_t *bytes = batch_record(&batch, n, &found);

    ck_assert_uint_eq(found, size);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != (n & 0xff))
            ck_abort_msg("not the bytes of record %u", (unsigned)n);
}

START_TEST(oldest_first)
{
    ck_assert_uint_eq(batch_records(&batch), 0);
    add(3);
    add(0);
    add(5);
    ck_assert_uint_eq(batch_records(&batch), 3);
    check(0, 3);
    check(1, 0);
    check(2, 5);
    batch_leave(&batch, 0);
    batch_leave(&batch, 2);
    ck_assert_uint_eq(batch_records(&batch), 1);
    ck_assert_uint_eq(batch.first, 2);
    check(2, 5);
    add(7);
    check(2, 5);
    check(3, 7);
    batch_leave(&batch, 2);
    ck_assert_uint_eq(batch_records(&batch), 0);
    add(1);
    check(4, 1);
}
END_TEST

START_TEST(a_dropped_record_leaves_nothing)
{
    ck_assert_int_eq(buffer_append(&batch.bytes, "half", 4), 0);
    batch_drop(&batch);
    ck_assert_uint_eq(buffer_size(batch.bytes), 0);
    ck_assert_uint_eq(batch_records(&batch), 0);
    batch_drop(&batch);
    add(3);
    ck_assert_int_eq(buffer_append(&batch.bytes, "half", 4), 0);
    batch_drop(&batch);
    add(2);
    ck_assert_uint_eq(batch_records(&batch), 2);
    check(0, 3);
    check(1, 2);
    batch_leave(&batch, 1);
    ck_assert_int_eq(buffer_append(&batch.bytes, "half", 4), 0);
    batch_drop(&batch);
    check(1, 2);
}
END_TEST

START_TEST(part_of_the_oldest_can_leave)
{
    add(10);
    add(4);
    batch_leave_bytes(&batch, 3);
    check(0, 7);
    batch_leave_bytes(&batch, 6);
    check(0, 1);
    check(1, 4);
    add(2);
    batch_leave(&batch, 1);
    check(1, 4);
    check(2, 2);
}
END_TEST

START_TEST(holds_a_limited_number_of_records)
{
    for (size_t i = 0; i < BATCH_RECORDS; i++) {
        ck_assert_uint_gt(batch_room(&batch), 0);
        add(1);
    }
    ck_assert_uint_eq(batch_room(&batch), 0);
    batch_leave(&batch, 10);
    ck_assert_uint_eq(batch_room(&batch), 10);
}
END_TEST

START_TEST(holds_a_limited_number_of_bytes)
{
    add(BATCH_BYTES - 1);
    ck_assert_uint_gt(batch_room(&batch), 0);
    add(1000); /* the last one may exceed the limit */
    ck_assert_uint_eq(batch_room(&batch), 0);
    batch_leave(&batch, 1);
    ck_assert_uint_gt(batch_room(&batch), 0);
}
END_TEST

/* Room is counted in records of the recent average size. */
START_TEST(room_is_an_estimate)
{
    for (int i = 0; i < 100; i++) {
        add(64 * 1024);
        batch_leave(&batch, 1);
    }
    ck_assert_uint_ge(batch_room(&batch), 4);
    ck_assert_uint_le(batch_room(&batch), 5);
    for (int i = 0; i < 200; i++) {
        add(100);
        batch_leave(&batch, 1);
    }
    ck_assert_uint_ge(batch_room(&batch), 500);
}
END_TEST

START_TEST(one_large_record_does_not_keep_its_memory)
{
    add(8 << 20);
    batch_leave(&batch, 1);
    ck_assert_ptr_null(batch.bytes);
    add(10);
    batch_leave(&batch, 1);
    ck_assert_ptr_nonnull(batch.bytes);
    ck_assert_uint_eq(batch.bytes->start, 0);
    add(6);
    check(2, 6);
}
END_TEST

START_TEST(agrees_with_a_plain_array)
{
    static size_t sizes[BATCH_RECORDS];
    uint64_t random = 5;
    size_t left_of_first = 0;

    for (int i = 0; i < 20000; i++) {
        size_t n = batch_records(&batch), size = (size_t)random_magnitude(&random, 12);

        switch (random_below(&random, 4)) {
        case 0:
        case 1:
            if (n == BATCH_RECORDS)
                break;
            sizes[added % BATCH_RECORDS] = size;
            left_of_first = n == 0 ? size : left_of_first;
            add(size);
            break;
        case 2:
            batch_leave(&batch, random_below(&random, n + 1));
            if (batch_records(&batch) > 0 && batch_records(&batch) != n)
                left_of_first = sizes[batch.first % BATCH_RECORDS];
            break;
        case 3:
            if (n == 0 || left_of_first < 2)
                break;
            size = 1 + random_below(&random, left_of_first - 1);
            batch_leave_bytes(&batch, size);
            left_of_first -= size;
            break;
        }
        for (uint64_t k = batch.first; k < batch.end; k += 1 + random_below(&random, 20))
            check(k, k == batch.first ? left_of_first : sizes[k % BATCH_RECORDS]);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("batch");
    TCase *cases = tcase_create("batch");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, oldest_first);
    tcase_add_test(cases, a_dropped_record_leaves_nothing);
    tcase_add_test(cases, part_of_the_oldest_can_leave);
    tcase_add_test(cases, holds_a_limited_number_of_records);
    tcase_add_test(cases, holds_a_limited_number_of_bytes);
    tcase_add_test(cases, room_is_an_estimate);
    tcase_add_test(cases, one_large_record_does_not_keep_its_memory);
    tcase_add_test(cases, agrees_with_a_plain_array);
    suite_add_tcase(suite, cases);
    return suite;
}
