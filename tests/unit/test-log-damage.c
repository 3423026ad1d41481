/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "log-stand.h"
#include "log/file.h"
#include "log/reader.h"
#include "random.h"
#include "runner.h"

/*
 * A log of three segments, of which one is damaged: bits flip, or the file is cut. In both directions
 * the reader returns only what was written, the same both times, and reports what is missing.
 */

#define SEGMENTS    3
#define NUMBERS_MAX 2000
#define ROUNDS      10000 /* over all tests of this file */

static struct log_stand stand;
static uint8_t *sound[SEGMENTS + 1];
static size_t sizes[SEGMENTS + 1];
static uint64_t first_of_newest, end;

enum seen { SEEN_NOT, SEEN_RECORD, SEEN_GAP };
static enum seen seen[NUMBERS_MAX];

static int open_segment(uint64_t serial, int flags)
{
    char name[SEGMENT_NAME_MAX];
    int fd;

    segment_name(serial, name);
    fd = openat(stand.store.dir_fd, name, flags | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void write_segment(uint64_t serial, const uint8_t *bytes, size_t size)
{
    int fd = open_segment(serial, O_WRONLY);

    /* ext4 would write a file to the disk that is truncated to nothing first. */
    ck_assert_int_eq(file_write(fd, bytes, size, 0), 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    (void)close(fd);
}

static void setup(void)
{
    log_stand_init(&stand);
    log_stand_stop(&stand, true);
    stand.limits.segment_size = (uint64_t)16 * 1024;
    log_stand_start(&stand);
    while (stand.writer.serial <= SEGMENTS || stand.writer.offset < (uint64_t)12 * 1024) {
        log_stand_append(&stand, 1);
        ck_assert_int_eq(writer_sync(&stand.writer), 0);
    }
    end = stand.writer.number;
    first_of_newest = stand.writer.head.first;
    ck_assert_uint_lt(end, NUMBERS_MAX);
    for (uint64_t serial = 1; serial <= SEGMENTS; serial++) {
        int fd = open_segment(serial, O_RDONLY);
        struct stat st;

        ck_assert_int_eq(fstat(fd, &st), 0);
        sizes[serial] = (size_t)st.st_size;
        sound[serial] = malloc(sizes[serial]);
        ck_assert_int_eq(file_read(fd, sound[serial], sizes[serial], 0), 0);
        (void)close(fd);
    }
}

static void teardown(void)
{
    for (size_t i = 1; i <= SEGMENTS; i++)
        free(STEAL_PTR(sound[i]));
    log_stand_deinit(&stand);
}

/* The rest after `from`, up to the end, where a gap has no end. */
static void note_gap(_unused_ void *userdata, const struct gap *gap)
{
    uint64_t from = gap->from ?: 1, to = gap->to ?: end - 1;

    ck_assert_int_ne(gap->kind, GAP_REMOVED);
    ck_assert_uint_le(to, end - 1);
    for (uint64_t n = from; n <= to; n++) {
        if (seen[n] != SEEN_NOT)
            ck_abort_msg("record %d is reported twice", (int)n);
        seen[n] = SEEN_GAP;
    }
}

static void note_record(const struct log_item *item)
{
    log_stand_check_item(&stand, item);
    if (seen[item->number] != SEEN_NOT)
        ck_abort_msg("record %d is there twice, or was reported missing", (int)item->number);
    seen[item->number] = SEEN_RECORD;
}

/* Where an unfinished end may begin, and is no gap: only in the newest segment. */
static void check_seen(void)
{
    for (uint64_t n = 1; n < first_of_newest; n++)
        if (seen[n] == SEEN_NOT)
            ck_abort_msg("nothing is said of record %d", (int)n);
    for (uint64_t n = first_of_newest + 1; n < end; n++)
        if (seen[n] != SEEN_NOT && seen[n - 1] == SEEN_NOT)
            ck_abort_msg("nothing is said of record %d, but of the next", (int)n - 1);
}

static void read_both_ways(void)
{
    static enum seen forwards[NUMBERS_MAX];
    struct log_item item;
    struct reader r;
    int result;

    ck_assert_int_eq(reader_open(&r, stand.folder, &READER_SCOPE_ALL), 0);
    r.on_gap = note_gap;
    memset(seen, 0, sizeof seen);
    while ((result = reader_next(&r, &item)) > 0)
        note_record(&item);
    ck_assert_int_eq(result, 0);
    check_seen();
    memcpy(forwards, seen, sizeof seen);
    memset(seen, 0, sizeof seen);
    ck_assert_int_eq(reader_seek_end(&r), 0);
    while ((result = reader_previous(&r, &item)) > 0)
        note_record(&item);
    ck_assert_int_eq(result, 0);
    check_seen();
    for (uint64_t n = 1; n < end; n++)
        if ((forwards[n] == SEEN_RECORD) != (seen[n] == SEEN_RECORD))
            ck_abort_msg("record %d is there in one direction only", (int)n);
    reader_close(&r);
}

/* Flips up to four bits, of which most are where the records are. */
static void flip(uint64_t *state, uint8_t *bytes, size_t size)
{
    for (uint64_t n = 1 + random_below(state, 4); n > 0; n--) {
        size_t range = random_below(state, 4) ? MIN(size, (size_t)17 * 1024) : size;

        bytes[random_below(state, range)] ^= (uint8_t)(1U << random_below(state, 8));
    }
}

static void damage(uint64_t *state, uint8_t *copy)
{
    uint64_t serial = 1 + random_below(state, SEGMENTS), kind = random_below(state, 4);
    size_t size = sizes[serial];

    memcpy(copy, sound[serial], size);
    if (kind == 0)
        size = random_below(state, size + 1);
    if (kind == 1) { /* a sector of zeros */
        size_t sector = random_below(state, size / 512);

        memset(copy + 512 * sector, 0, 512);
    }
    if (kind > 1 || random_below(state, 2) == 0)
        flip(state, copy, size ?: 1);
    write_segment(serial, copy, size);
    read_both_ways();
    write_segment(serial, sound[serial], sizes[serial]);
}

START_TEST(the_reader_tells_what_is_missing)
{
    uint8_t *copy = malloc((size_t)1024 * 1024);
    uint64_t state = (uint64_t)_i;

    read_both_ways();
    for (unsigned round = 0; round < ROUNDS / 4; round++)
        damage(&state, copy);
    free(copy);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("log-damage");
    TCase *c = tcase_create("log-damage");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 300);
    tcase_add_loop_test(c, the_reader_tells_what_is_missing, 0, 4);
    suite_add_tcase(suite, c);
    return suite;
}
