/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "log-stand.h"
#include "log/file.h"
#include "random.h"
#include "runner.h"

#define SECTOR 512

static struct log_stand stand;

static void setup(void)
{
    log_stand_init(&stand);
}

static void teardown(void)
{
    log_stand_deinit(&stand);
}

/* The segment that is written to, whole. */
static uint8_t *read_segment(size_t *ret_size)
{
    struct stat st;
    uint8_t *bytes;

    ck_assert_int_eq(fstat(stand.writer.fd, &st), 0);
    *ret_size = (size_t)st.st_size;
    bytes = malloc(*ret_size);
    ck_assert_int_eq(file_read(stand.writer.fd, bytes, *ret_size, 0), 0);
    return bytes;
}

static void write_segment(uint64_t serial, const uint8_t *bytes, size_t size)
{
    char name[SEGMENT_NAME_MAX];
    int fd;

    segment_name(serial, name);
    fd = openat(stand.store.dir_fd, name, O_WRONLY | O_TRUNC | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(file_write(fd, bytes, size, 0), 0);
    (void)close(fd);
}

START_TEST(a_clean_stop_leaves_nothing_to_recover)
{
    for (unsigned i = 0; i < 200; i++) {
        log_stand_append(&stand, 5);
        ck_assert_int_eq(writer_sync(&stand.writer), 0);
    }
    log_stand_stop(&stand, true);
    log_stand_start(&stand);
    ck_assert_uint_eq(stand.recovery.n_recovered, 0);
    ck_assert_uint_eq(stand.recovery.next_number, 1001);
    ck_assert_uint_gt(stand.recovery.next_serial, 3);
    ck_assert_uint_eq(log_stand_check(&stand, 1000), 1000);
    log_stand_append(&stand, 1);
    ck_assert_uint_eq(log_stand_check(&stand, 1001), 1001);
}
END_TEST

/* A batch is spread over segments, and a record that is larger than one makes it grow. */
START_TEST(no_batch_is_too_large_for_a_segment)
{
    struct segment_list list;

    log_stand_append(&stand, 1000);
    ck_assert_int_eq(writer_sync(&stand.writer), 0);
    ck_assert_uint_eq(log_stand_check(&stand, 1000), 1000);
    ck_assert_int_eq(segment_list_read(stand.store.dir_fd, &list), 0);
    ck_assert_uint_ge(list.n, 5);
    for (size_t i = 0; i < list.n; i++)
        ck_assert_uint_le(list.items[i].size, stand.limits.segment_size + 40000);
    segment_list_free(&list);
}
END_TEST

START_TEST(a_kill_loses_nothing)
{
    for (unsigned round = 0; round < 20; round++) {
        log_stand_append(&stand, round);
        log_stand_stop(&stand, false);
        log_stand_start(&stand);
        ck_assert_uint_eq(stand.recovery.n_recovered, round);
        ck_assert_uint_eq(stand.recovery.n_cut, 0);
    }
    ck_assert_uint_eq(log_stand_check(&stand, 190), 190);
}
END_TEST

/* Power fails: of what was written since the last sync, any sector may be there or not. */
static void power_failure(uint64_t seed)
{
    uint64_t state = seed, synced;
    size_t size, before_size;
    uint8_t *before, *after;

    log_stand_append(&stand, 1 + (unsigned)random_below(&state, 20));
    ck_assert_int_eq(writer_sync(&stand.writer), 0);
    synced = stand.writer.synced;
    before = read_segment(&before_size);
    for (uint64_t n = 1 + random_below(&state, 3), serial = stand.writer.serial;
         n > 0 && stand.writer.serial == serial; n--) {
        if (stand.writer.size - stand.writer.offset < (uint64_t)30 * 2300)
            break; /* it would be another segment */
        log_stand_append(&stand, 1 + (unsigned)random_below(&state, 30));
    }
    after = read_segment(&size);
    ck_assert_uint_eq(size, before_size);
    for (size_t at = 0; at < size; at += SECTOR)
        if (random_below(&state, 4) == 0)
            memcpy(after + at, before + at, SECTOR);
    write_segment(stand.writer.head.serial, after, size);
    free(before);
    free(after);
    log_stand_stop(&stand, false);
    log_stand_start(&stand);
    ck_assert_uint_gt(stand.recovery.next_number, synced);
    ck_assert_uint_eq(stand.recovery.n_damaged, 0);
    ck_assert_uint_eq(log_stand_check(&stand, synced), synced);
    /* What is behind the synced ones is whole, too: a beginning of what was written. */
    ck_assert_uint_eq(log_stand_check(&stand, UINT64_MAX), stand.recovery.next_number - 1);
}

START_TEST(after_a_power_failure_all_that_was_synced_is_there)
{
    for (uint64_t seed = 1; seed <= 150; seed++)
        power_failure(seed);
    log_stand_append(&stand, 100);
    ck_assert_uint_eq(log_stand_check(&stand, UINT64_MAX), stand.writer.number - 1);
}
END_TEST

/* Retention removes what it may, at a time in the far future. */
static void age(void)
{
    while (store_keep(&stand.store, UINT64_MAX / 2) > 0)
        ;
}

START_TEST(numbers_go_on_where_retention_removes_everything)
{
    stand.limits.max_age_us = 1;
    log_stand_append(&stand, 7);
    for (unsigned round = 0; round < 3; round++) {
        log_stand_stop(&stand, round > 0);
        log_stand_start(&stand);
        age();
        ck_assert_uint_eq(stand.recovery.next_number, 8);
    }
}
END_TEST

/* A segment that has begun lets all older ones go, and then has no record itself. */
START_TEST(numbers_go_on_behind_an_empty_segment)
{
    struct log_head head = { .serial = 2, .salt = 1, .first = 8 };
    int fd;

    stand.limits.max_age_us = 1;
    log_stand_append(&stand, 7);
    log_stand_stop(&stand, true);
    log_stand_start(&stand);
    age();
    fd = store_take(&stand.store, head.serial, &head);
    ck_assert_int_ge(fd, 0);
    age();
    ck_assert_uint_eq(stand.store.n, 0);
    (void)close(fd);
    for (unsigned round = 0; round < 3; round++) {
        log_stand_stop(&stand, false);
        log_stand_start(&stand);
        ck_assert_uint_eq(stand.recovery.next_number, 8);
    }
}
END_TEST

/* Retention removed the older ones, and the crash has brought back the first of them alone. */
START_TEST(numbers_go_on_behind_an_empty_segment_and_a_gap)
{
    struct log_head head = { .salt = 1, .first = 1001 };
    char name[SEGMENT_NAME_MAX];

    log_stand_append(&stand, 1000);
    head.serial = stand.writer.serial;
    log_stand_stop(&stand, true);
    log_stand_start(&stand);
    while (store_keep(&stand.store, 0) > 0)
        ;
    (void)close(store_take(&stand.store, head.serial, &head));
    for (uint64_t serial = 2; serial < head.serial; serial++) {
        segment_name(serial, name);
        ck_assert_int_eq(unlinkat(stand.store.dir_fd, name, 0), 0);
    }
    for (unsigned round = 0; round < 3; round++) {
        log_stand_stop(&stand, false);
        log_stand_start(&stand);
        ck_assert_uint_eq(stand.recovery.next_number, 1001);
    }
}
END_TEST

/* The disk damages what was synced: what can be read stays, and the rest is counted. */
START_TEST(damage_before_synced_records_is_not_a_torn_end)
{
    struct log_item item;
    struct segment segment;
    uint64_t offset;
    uint8_t byte;

    for (unsigned i = 0; i < 10; i++) {
        log_stand_append(&stand, 1);
        ck_assert_int_eq(writer_sync(&stand.writer), 0);
    }
    ck_assert_int_eq(segment_open(&segment, stand.store.dir_fd, 1), 0);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(segment_next(&segment, &item), 1);
    offset = segment.offset + LOG_RECORD_HEAD;
    segment_close(&segment);
    ck_assert_int_eq(file_read(stand.writer.fd, &byte, 1, offset), 0);
    byte ^= 0x10;
    ck_assert_int_eq(file_write(stand.writer.fd, &byte, 1, offset), 0);
    log_stand_stop(&stand, false);
    log_stand_start(&stand);
    ck_assert_uint_eq(stand.recovery.n_recovered, 9);
    ck_assert_uint_eq(stand.recovery.n_damaged, 1);
    ck_assert_uint_eq(stand.recovery.next_number, 11);
    ck_assert_uint_eq(log_stand_check(&stand, 10), 9);
}
END_TEST

/* What a client sends can look like the end of a segment, but for the salt. */
START_TEST(a_client_cannot_forge_an_index)
{
    struct log_index *index = log_index_new();
    size_t size, segment_size;
    uint8_t *bytes, *forged;

    log_stand_append(&stand, 10);
    bytes = read_segment(&segment_size);
    index->end = stand.writer.offset;
    forged = log_index_encode(index, stand.writer.head.salt ^ 1, &size);
    ck_assert_uint_le(stand.writer.offset + size, segment_size);
    memcpy(bytes + stand.writer.offset, forged, size);
    write_segment(1, bytes, stand.writer.offset + size);
    log_stand_stop(&stand, false);
    log_stand_start(&stand);
    ck_assert_uint_eq(stand.recovery.n_recovered, 10);
    ck_assert_uint_eq(stand.recovery.next_number, 11);
    ck_assert_uint_eq(log_stand_check(&stand, UINT64_MAX), 10);
    log_index_free(index);
    free(forged);
    free(bytes);
}
END_TEST

/* Somebody may take the file `lock` for a leftover. */
START_TEST(no_second_writer_although_the_lock_file_is_removed)
{
    struct store other;
    pid_t holder;

    ck_assert_int_eq(unlinkat(stand.store.dir_fd, STORE_LOCK, 0), 0);
    ck_assert_int_eq(store_open(&other, stand.folder, &holder), -EWOULDBLOCK);
    store_close(&other);
}
END_TEST

static size_t n_segments(void)
{
    struct segment_list list;
    size_t n;

    ck_assert_int_eq(segment_list_read(stand.store.dir_fd, &list), 0);
    n = list.n;
    segment_list_free(&list);
    return n;
}

START_TEST(nothing_is_removed_in_vain)
{
    size_t n;

    log_stand_append(&stand, 1000);
    n = n_segments();
    ck_assert_uint_gt(n, 2);
    /* More than the disk has: removing all segments would not help. */
    stand.store.limits.keep_free = UINT64_MAX / 2;
    for (unsigned i = 0; i < 10; i++)
        (void)store_keep(&stand.store, 0);
    ck_assert_uint_eq(n_segments(), n);
}
END_TEST

START_TEST(a_disk_that_refuses_a_record_costs_the_oldest_segment)
{
    size_t n;

    log_stand_append(&stand, 500);
    while (store_keep(&stand.store, 0) > 0)
        ;
    n = n_segments();
    store_press(&stand.store, -ENOSPC);
    ck_assert_int_eq(store_keep(&stand.store, 0), 1);
    ck_assert_uint_eq(n_segments(), n - 1);
    ck_assert_int_eq(store_keep(&stand.store, 0), 0);
    stand.store.limits.wait = true;
    store_press(&stand.store, -ENOSPC);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(store_keep(&stand.store, 0), -ENOSPC);
    store_press(&stand.store, 0);
    ck_assert_int_eq(store_keep(&stand.store, 0), 0);
    ck_assert_uint_eq(n_segments(), n - 1);
}
END_TEST

/* Nothing could be removed then, and by now the disk has room: nothing is removed later. */
START_TEST(a_refusal_is_not_remembered)
{
    for (unsigned i = 0; i < 200; i++) {
        log_stand_append(&stand, 5);
        while (store_keep(&stand.store, 0) > 0)
            ;
        if (i == 0) {
            store_press(&stand.store, -ENOSPC);
            ck_assert_int_eq(store_keep(&stand.store, 0), -ENOSPC);
            store_press(&stand.store, 0);
        }
    }
    ck_assert_uint_eq(log_stand_check(&stand, 1000), 1000);
}
END_TEST

/* Nobody can tell which numbers it has used. */
START_TEST(a_segment_without_a_head_stays_and_its_numbers_are_not_used_again)
{
    uint8_t zeros[LOG_HEAD_SIZE] = { 0 };

    log_stand_append(&stand, 10);
    ck_assert_int_eq(file_write(stand.writer.fd, zeros, sizeof zeros, 0), 0);
    log_stand_stop(&stand, false);
    log_stand_start(&stand);
    ck_assert_uint_eq(stand.recovery.bad_segment, 1);
    ck_assert_uint_eq(stand.recovery.next_serial, 2);
    ck_assert_uint_gt(stand.recovery.next_number, 10);
    log_stand_append(&stand, 1);
    ck_assert_uint_eq(log_stand_check(&stand, UINT64_MAX), 1);
}
END_TEST

/* Whatever the disk does to the bytes: no crash, and no record that was not written. */
START_TEST(no_damage_makes_a_wrong_record)
{
    uint64_t state = 42;
    size_t size;
    uint8_t *bytes, *copy;

    for (unsigned i = 0; i < 12; i++) {
        log_stand_append(&stand, 3);
        ck_assert_int_eq(writer_sync(&stand.writer), 0);
    }
    bytes = read_segment(&size);
    copy = malloc(size);
    for (unsigned round = 0; round < 2500; round++) {
        size_t used = size;

        memcpy(copy, bytes, size);
        if (random_below(&state, 4) == 0)
            used = random_below(&state, size + 1);
        for (uint64_t n = random_below(&state, 4); n > 0 && used > 0; n--)
            copy[random_below(&state, MIN(used, (size_t)30000))] ^=
                (uint8_t)(1U << random_below(&state, 8));
        write_segment(1, copy, used);
        (void)log_stand_check(&stand, UINT64_MAX);
    }
    free(bytes);
    free(copy);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("log-recovery");
    TCase *c = tcase_create("log-recovery");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_clean_stop_leaves_nothing_to_recover);
    tcase_add_test(c, no_batch_is_too_large_for_a_segment);
    tcase_add_test(c, a_kill_loses_nothing);
    tcase_add_test(c, after_a_power_failure_all_that_was_synced_is_there);
    tcase_add_test(c, numbers_go_on_where_retention_removes_everything);
    tcase_add_test(c, numbers_go_on_behind_an_empty_segment);
    tcase_add_test(c, numbers_go_on_behind_an_empty_segment_and_a_gap);
    tcase_add_test(c, damage_before_synced_records_is_not_a_torn_end);
    tcase_add_test(c, a_client_cannot_forge_an_index);
    tcase_add_test(c, no_second_writer_although_the_lock_file_is_removed);
    tcase_add_test(c, nothing_is_removed_in_vain);
    tcase_add_test(c, a_disk_that_refuses_a_record_costs_the_oldest_segment);
    tcase_add_test(c, a_refusal_is_not_remembered);
    tcase_add_test(c, a_segment_without_a_head_stays_and_its_numbers_are_not_used_again);
    tcase_add_test(c, no_damage_makes_a_wrong_record);
    suite_add_tcase(suite, c);
    return suite;
}
