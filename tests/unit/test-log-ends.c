/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "log-stand.h"
#include "log/file.h"
#include "runner.h"

/*
 * Where an incomplete segment ends. It has a few records. Each of them may be unreadable, and each
 * says up to which number the records were synced when it was written. These numbers never fall. All
 * combinations are tried.
 */

#define RECORDS 6

static struct log_stand stand;
static uint8_t *sound, *copy;
static size_t offsets[RECORDS + 2], size;
static uint64_t salt;

static void setup(void)
{
    log_stand_init(&stand);
    log_stand_append(&stand, RECORDS);
    salt = stand.writer.head.salt;
    offsets[1] = LOG_HEAD_SIZE;
    size = stand.writer.offset + 4096;
    sound = malloc(size);
    copy = malloc(size);
    ck_assert_int_eq(file_read(stand.writer.fd, sound, size, 0), 0);
    for (size_t i = 1; i <= RECORDS; i++)
        offsets[i + 1] = offsets[i] + log_record_claim(sound + offsets[i]);
}

static void teardown(void)
{
    free(STEAL_PTR(sound));
    free(STEAL_PTR(copy));
    log_stand_deinit(&stand);
}

/* Writes the segment, with these unreadable records, and with what each record says was synced. */
static void write_segment(unsigned unreadable, const uint64_t synced[RECORDS + 1])
{
    char name[SEGMENT_NAME_MAX];
    int fd;

    memcpy(copy, sound, size);
    for (uint64_t i = 1; i <= RECORDS; i++) {
        struct log_seal seal = {
            .number = i,
            .time_us = 1000 + i,
            .distance = (uint32_t)(i - 1 - synced[i]),
        };

        (void)log_record_seal(copy + offsets[i], salt, &seal);
        if (unreadable & 1U << i)
            copy[offsets[i] + LOG_RECORD_HEAD] ^= 0x10;
    }
    segment_name(1, name);
    fd = openat(stand.store.dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(file_write(fd, copy, size, 0), 0);
    (void)close(fd);
}

/* The log ends before the first run of unreadable records that no readable one vouches for. */
static void expect_end(unsigned unreadable, const uint64_t synced[RECORDS + 1])
{
    uint64_t vouched = 0, last = 0, n = 0;

    for (uint64_t i = 1; i <= RECORDS; i++)
        if (!(unreadable & 1U << i))
            vouched = MAX(vouched, synced[i]);
    for (uint64_t i = 1; i <= RECORDS; i++) {
        if (!(unreadable & 1U << i)) {
            last = i;
            n++;
        } else if (last + 1 == i && vouched < i) {
            break;
        }
    }
    if (stand.recovery.n_recovered != n || stand.recovery.next_number != last + 1 ||
        stand.recovery.n_damaged != last - n || log_stand_check(&stand, UINT64_MAX) != n)
        ck_abort_msg("unreadable %#x, vouched up to %d: %d records are kept instead of %d, next %d",
                     unreadable, (int)vouched, (int)stand.recovery.n_recovered, (int)n,
                     (int)stand.recovery.next_number);
}

static void try_all(uint64_t number, uint64_t synced[RECORDS + 1])
{
    if (number <= RECORDS) {
        for (synced[number] = synced[number - 1]; synced[number] < number; synced[number]++)
            try_all(number + 1, synced);
        return;
    }
    for (unsigned unreadable = 0; unreadable < 1U << (RECORDS + 1); unreadable += 2) {
        write_segment(unreadable, synced);
        log_stand_stop(&stand, false);
        log_stand_start(&stand);
        expect_end(unreadable, synced);
    }
}

START_TEST(a_segment_ends_before_what_nothing_vouches_for)
{
    uint64_t synced[RECORDS + 1] = { 0 };

    try_all(1, synced);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("log-ends");
    TCase *c = tcase_create("log-ends");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_segment_ends_before_what_nothing_vouches_for);
    suite_add_tcase(suite, c);
    return suite;
}
