/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "log-stand.h"
#include "log/file.h"
#include "log/reader.h"
#include "random.h"
#include "runner.h"

#define GAPS_MAX 64

static struct log_stand stand;
static struct reader reader;
static struct gap gaps[GAPS_MAX];
static size_t n_gaps;

static void setup(void)
{
    log_stand_init(&stand);
    n_gaps = 0;
}

static void teardown(void)
{
    log_stand_deinit(&stand);
}

static void keep_gap(_unused_ void *userdata, const struct gap *gap)
{
    if (n_gaps < GAPS_MAX)
        gaps[n_gaps] = *gap;
    n_gaps++;
}

static void open_reader(const struct reader_scope *scope)
{
    ck_assert_int_eq(reader_open(&reader, stand.folder, scope), 0);
    reader.on_gap = keep_gap;
}

static void append_synced(unsigned n)
{
    while (n-- > 0) {
        log_stand_append(&stand, 1);
        ck_assert_int_eq(writer_sync(&stand.writer), 0);
    }
}

/* n is a multiple of ten. */
static void append(unsigned n)
{
    for (; n > 0; n -= 10)
        log_stand_append(&stand, 10);
}

/* Reads on; returns how many there were. Each must follow the one before. */
static uint64_t read_on(uint64_t *last)
{
    struct log_item item;
    uint64_t n = 0;
    int r;

    while ((r = reader_next(&reader, &item)) > 0) {
        ck_assert_uint_gt(item.number, *last);
        log_stand_check_item(&stand, &item);
        *last = item.number;
        n++;
    }
    ck_assert_int_eq(r, 0);
    return n;
}

static uint64_t read_back(uint64_t *first)
{
    struct log_item item;
    uint64_t n = 0;
    int r;

    *first = UINT64_MAX;
    while ((r = reader_previous(&reader, &item)) > 0) {
        ck_assert_uint_lt(item.number, *first);
        log_stand_check_item(&stand, &item);
        *first = item.number;
        n++;
    }
    ck_assert_int_eq(r, 0);
    return n;
}

static int open_segment(uint64_t serial)
{
    char name[SEGMENT_NAME_MAX];
    int fd;

    segment_name(serial, name);
    fd = openat(stand.store.dir_fd, name, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void remove_segment(uint64_t serial)
{
    char name[SEGMENT_NAME_MAX];

    segment_name(serial, name);
    ck_assert_int_eq(unlinkat(stand.store.dir_fd, name, 0), 0);
}

static void flip(uint64_t serial, uint64_t offset)
{
    int fd = open_segment(serial);
    uint8_t byte;

    ck_assert_int_eq(file_read(fd, &byte, 1, offset), 0);
    byte ^= 0x10;
    ck_assert_int_eq(file_write(fd, &byte, 1, offset), 0);
    (void)close(fd);
}

/* The number of the segment's first record, and where the next one is. */
static uint64_t look_into(uint64_t serial, uint64_t *ret_second)
{
    struct segment segment;
    struct log_item item;

    ck_assert_int_eq(segment_open(&segment, stand.store.dir_fd, serial), 0);
    ck_assert_int_eq(segment_next(&segment, &item), 1);
    *ret_second = segment.offset;
    segment_close(&segment);
    return item.number;
}

static void check_gap(size_t i, enum gap_kind kind, uint64_t serial, uint64_t from, uint64_t to)
{
    ck_assert_uint_lt(i, n_gaps);
    ck_assert_int_eq(gaps[i].kind, kind);
    ck_assert_uint_eq(gaps[i].serial, serial);
    ck_assert_uint_eq(gaps[i].from, from);
    ck_assert_uint_eq(gaps[i].to, to);
}

START_TEST(both_directions_read_all)
{
    uint64_t last = 0, first;

    append(1000);
    open_reader(&READER_SCOPE_ALL);
    ck_assert_uint_eq(read_on(&last), 1000);
    ck_assert(reader_is_growing(&reader));
    ck_assert_int_eq(reader_seek_end(&reader), 0);
    ck_assert_uint_eq(read_back(&first), 1000);
    ck_assert_uint_eq(first, 1);
    /* From where it stands, it turns round. */
    last = 0;
    ck_assert_uint_eq(read_on(&last), 1000);
    ck_assert_uint_eq(n_gaps, 0);
    reader_close(&reader);
}
END_TEST

START_TEST(an_empty_log)
{
    struct log_item item;

    open_reader(&READER_SCOPE_ALL);
    ck_assert_int_eq(reader_next(&reader, &item), 0);
    ck_assert_int_eq(reader_seek_end(&reader), 0);
    ck_assert_int_eq(reader_previous(&reader, &item), 0);
    append_synced(1);
    ck_assert_int_eq(reader_refresh(&reader), 0);
    ck_assert_int_eq(reader_next(&reader, &item), 1);
    reader_close(&reader);
    ck_assert_int_eq(reader_open(&reader, "/", &READER_SCOPE_ALL), -ENODATA);
    reader_close(&reader);
    ck_assert_int_eq(reader_open(&reader, "/nothing/here", &READER_SCOPE_ALL), -ENOENT);
    reader_close(&reader);
}
END_TEST

/* What comes later is found, through several segments, and once. */
START_TEST(it_follows_the_writer)
{
    uint64_t last = 0, n = 0;

    open_reader(&READER_SCOPE_ALL);
    reader.live = true;
    for (unsigned i = 0; i < 300; i++) {
        log_stand_append(&stand, 1 + i % 7);
        n += 1 + i % 7;
        if (i % 3 == 0) {
            ck_assert_int_eq(reader_refresh(&reader), 0);
            (void)read_on(&last);
            ck_assert_uint_eq(last, n);
        }
    }
    log_stand_stop(&stand, true);
    log_stand_start(&stand);
    append_synced(5);
    ck_assert_int_eq(reader_refresh(&reader), 0);
    (void)read_on(&last);
    ck_assert_uint_eq(last, n + 5);
    ck_assert_uint_eq(n_gaps, 0);
    reader_close(&reader);
}
END_TEST

START_TEST(damage_is_reported_once)
{
    uint64_t last = 0, first, second, number;

    append(1000);
    number = look_into(3, &second);
    flip(3, second + 9); /* the second record */
    flip(3, 5000);       /* perhaps the first, perhaps a later one */
    open_reader(&READER_SCOPE_ALL);
    ck_assert_uint_le(read_on(&last), 999);
    ck_assert_uint_ge(n_gaps, 1);
    ck_assert_uint_le(n_gaps, 2);
    ck_assert_int_eq(gaps[0].kind, GAP_DAMAGED);
    ck_assert_uint_eq(gaps[0].serial, 3);
    ck_assert_uint_le(gaps[0].from, number + 1);
    n_gaps = 0;
    ck_assert_int_eq(reader_seek_end(&reader), 0);
    (void)read_back(&first);
    ck_assert_uint_eq(first, 1);
    ck_assert_uint_ge(n_gaps, 1);
    reader_close(&reader);
}
END_TEST

START_TEST(the_first_record_of_a_log_can_be_missing)
{
    uint64_t last = 0, first;

    append(1000);
    flip(1, LOG_HEAD_SIZE + 9);
    open_reader(&READER_SCOPE_ALL);
    ck_assert_uint_eq(read_on(&last), 999);
    check_gap(0, GAP_DAMAGED, 1, 1, 1);
    ck_assert_int_eq(reader_seek_end(&reader), 0);
    ck_assert_uint_eq(read_back(&first), 999);
    check_gap(1, GAP_DAMAGED, 1, 1, 1);
    ck_assert_uint_eq(n_gaps, 2);
    reader_close(&reader);
}
END_TEST

START_TEST(damage_in_the_segment_that_is_written_to)
{
    uint64_t last = 0, second;

    append_synced(8);
    (void)look_into(1, &second);
    flip(1, second + 9);
    open_reader(&READER_SCOPE_ALL);
    ck_assert_uint_eq(read_on(&last), 7);
    check_gap(0, GAP_DAMAGED, 1, 2, 2);
    ck_assert_uint_eq(n_gaps, 1);
    reader_close(&reader);
}
END_TEST

/* What was not synced may be torn: it is not there, and nothing is damaged. */
START_TEST(an_unfinished_end_is_no_damage)
{
    uint64_t last = 0, first, second;

    append_synced(1);
    log_stand_append(&stand, 5);
    (void)look_into(1, &second);
    flip(1, second + 9);
    open_reader(&READER_SCOPE_ALL);
    ck_assert_uint_eq(read_on(&last), 1);
    ck_assert_int_eq(reader_seek_end(&reader), 0);
    ck_assert_uint_eq(read_back(&first), 1);
    ck_assert_uint_eq(n_gaps, 0);
    reader_close(&reader);
}
END_TEST

START_TEST(segments_that_are_missing_or_unreadable)
{
    uint64_t last = 0, first, second, third, fourth, sixth, seventh;

    append(2000);
    third = look_into(3, &second);
    fourth = look_into(4, &second);
    sixth = look_into(6, &second);
    seventh = look_into(7, &second);
    remove_segment(3);
    flip(6, 100);
    open_reader(&READER_SCOPE_ALL);
    ck_assert_uint_eq(read_on(&last), 2000 - (fourth - third) - (seventh - sixth));
    check_gap(0, GAP_MISSING, 3, third, fourth - 1);
    check_gap(1, GAP_UNREADABLE, 6, sixth, seventh - 1);
    ck_assert_uint_eq(n_gaps, 2);
    ck_assert_int_eq(reader_seek_end(&reader), 0);
    (void)read_back(&first);
    check_gap(2, GAP_UNREADABLE, 6, sixth, seventh - 1);
    check_gap(3, GAP_MISSING, 3, third, fourth - 1);
    ck_assert_uint_eq(n_gaps, 4);
    reader_close(&reader);
}
END_TEST

/* readdir(3) may leave out a file that is renamed meanwhile, though it lists a later one. */
static void forget_third(void)
{
    struct segment_list *list = &reader.list;

    ck_assert_uint_gt(list->n, 5);
    memmove(&list->items[2], &list->items[3], (list->n - 3) * sizeof *list->items);
    list->n--;
}

START_TEST(a_list_that_lacks_a_new_segment)
{
    uint64_t last = 0, first;

    append(2000);
    open_reader(&READER_SCOPE_ALL);
    forget_third();
    ck_assert_uint_eq(read_on(&last), 2000);
    ck_assert_int_eq(reader_seek_end(&reader), 0);
    forget_third();
    ck_assert_uint_eq(read_back(&first), 2000);
    ck_assert_uint_eq(n_gaps, 0);
    reader_close(&reader);
}
END_TEST

START_TEST(retention_is_no_damage)
{
    uint64_t last = 0, second, number;
    struct log_item item;

    append(2000);
    number = look_into(5, &second);
    open_reader(&READER_SCOPE_ALL);
    ck_assert_int_eq(reader_next(&reader, &item), 1);
    for (uint64_t serial = 1; serial < 5; serial++)
        remove_segment(serial);
    /* It has read into memory what it still returns. */
    (void)read_on(&last);
    ck_assert_uint_eq(last, 2000);
    ck_assert_uint_eq(n_gaps, 1);
    ck_assert_int_eq(gaps[0].kind, GAP_REMOVED);
    ck_assert_uint_eq(gaps[0].to, number - 1);
    reader_close(&reader);
    n_gaps = 0;
    open_reader(&READER_SCOPE_ALL);
    last = 0;
    ck_assert_uint_eq(read_on(&last), 2000 - number + 1);
    ck_assert_uint_eq(n_gaps, 0);
    reader_close(&reader);
}
END_TEST

START_TEST(a_cut_segment_lacks_its_last_records)
{
    uint64_t last = 0, second, number;
    int fd;

    append(1000);
    number = look_into(3, &second);
    fd = open_segment(2);
    ck_assert_int_eq(ftruncate(fd, LOG_HEAD_SIZE + 10), 0);
    (void)close(fd);
    open_reader(&READER_SCOPE_ALL);
    (void)read_on(&last);
    ck_assert_uint_eq(n_gaps, 1);
    check_gap(0, GAP_DAMAGED, 2, look_into(1, &second) > 0 ? gaps[0].from : 0, number - 1);
    reader_close(&reader);
}
END_TEST

static uint64_t next_microsecond(void)
{
    uint64_t now = clock_us(CLOCK_REALTIME), later;

    while ((later = clock_us(CLOCK_REALTIME)) == now)
        ;
    return later;
}

/* The log has so many records; ten of them, from `first` on, are those of a time. */
static struct reader_scope make_a_time(uint64_t *first)
{
    struct reader_scope scope = READER_SCOPE_ALL;

    append(1500);
    scope.since_us = next_microsecond();
    *first = stand.writer.number;
    append(10);
    scope.until_us = clock_us(CLOCK_REALTIME);
    (void)next_microsecond();
    append(1500);
    log_stand_stop(&stand, true);
    return scope;
}

/* Ten records are wanted, from `first` on, and at most so many are read. */
static void check_scope(const struct reader_scope *scope, uint64_t first, uint64_t most)
{
    uint64_t seen = 0, n = 0;
    struct log_item item;

    open_reader(scope);
    for (; reader_next(&reader, &item) > 0; n++)
        seen += item.number >= first && item.number < first + 10;
    ck_assert_uint_eq(seen, 10);
    ck_assert_uint_lt(n, most);
    ck_assert_int_eq(reader_seek_end(&reader), 0);
    for (seen = n = 0; reader_previous(&reader, &item) > 0; n++)
        seen += item.number >= first && item.number < first + 10;
    ck_assert_uint_eq(seen, 10);
    ck_assert_uint_lt(n, most);
    reader_close(&reader);
    ck_assert_uint_eq(n_gaps, 0);
}

START_TEST(a_scope_passes_over_segments)
{
    struct reader_scope scope;
    uint64_t first;

    scope = make_a_time(&first);
    check_scope(&scope, first, 1000);
    scope = (struct reader_scope){ 0, UINT64_MAX, true, LOG_STAND_RUN, 70 };
    check_scope(&scope, 700, 1000);
    scope.run++;
    open_reader(&scope);
    ck_assert_int_eq(reader_next(&reader, &(struct log_item){ 0 }), 0);
    reader_close(&reader);
}
END_TEST

/* All is in one segment, which has several marks. */
START_TEST(a_scope_passes_over_parts_of_a_segment)
{
    struct reader_scope scope;
    uint64_t first;

    log_stand_stop(&stand, true);
    stand.limits.segment_size = 4 * 1024 * 1024;
    log_stand_start(&stand);
    scope = make_a_time(&first);
    check_scope(&scope, first, 2500);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("log-reader");
    TCase *c = tcase_create("log-reader");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, both_directions_read_all);
    tcase_add_test(c, an_empty_log);
    tcase_add_test(c, it_follows_the_writer);
    tcase_add_test(c, damage_is_reported_once);
    tcase_add_test(c, the_first_record_of_a_log_can_be_missing);
    tcase_add_test(c, damage_in_the_segment_that_is_written_to);
    tcase_add_test(c, an_unfinished_end_is_no_damage);
    tcase_add_test(c, segments_that_are_missing_or_unreadable);
    tcase_add_test(c, a_list_that_lacks_a_new_segment);
    tcase_add_test(c, retention_is_no_damage);
    tcase_add_test(c, a_cut_segment_lacks_its_last_records);
    tcase_add_test(c, a_scope_passes_over_segments);
    tcase_add_test(c, a_scope_passes_over_parts_of_a_segment);
    suite_add_tcase(suite, c);
    return suite;
}
