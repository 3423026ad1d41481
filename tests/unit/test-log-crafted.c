/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/macros.h"
#include "log-stand.h"
#include "log/bytes.h"
#include "log/file.h"
#include "log/reader.h"
#include "runner.h"

/*
 * A sender chooses the bytes of its message. Here they look like records at as many offsets as possible:
 * each has the next number, claims half of the message, and ends with its size. Then the disk loses a
 * sector of each such record. To find the next record must not cost more than a fixed amount for each
 * byte of the segment.
 */

#define SEGMENT_SIZE ((size_t)8 * 1024 * 1024)
#define SECTOR       512
#define PERIOD       12
#define DAMAGED      25
#define CRAFTED      ((size_t)270 * 1024) /* more than from one mark of the index to the next */

/* For each byte of the segment. At one offset in twelve, the checksum of a head is computed, which
 * has 60 bytes with the salt. The records are searched up to three times. */
#define CHECKSUM_COST 20
#define READ_COST     5

static struct log_stand stand;
static const char *what = "setup"; /* is measured */
static uint64_t checksum_bytes, read_bytes;

/* The linker replaces these functions (ld(1), --wrap). */
uint32_t __real_crc32c(uint32_t crc, const void *bytes, size_t n);
ssize_t __real_pread(int fd, void *bytes, size_t n, off_t offset);
ssize_t __real___pread_chk(int fd, void *bytes, size_t n, off_t offset, size_t size);
uint32_t __wrap_crc32c(uint32_t crc, const void *bytes, size_t n);
ssize_t __wrap_pread(int fd, void *bytes, size_t n, off_t offset);
ssize_t __wrap___pread_chk(int fd, void *bytes, size_t n, off_t offset, size_t size);

/* Immediately, since otherwise it takes minutes. */
static void check_cost(void)
{
    if (checksum_bytes > CHECKSUM_COST * SEGMENT_SIZE || read_bytes > READ_COST * SEGMENT_SIZE)
        ck_abort_msg("%s: %d MiB of checksums, %d MiB of reads", what, (int)(checksum_bytes >> 20),
                     (int)(read_bytes >> 20));
}

uint32_t __wrap_crc32c(uint32_t crc, const void *bytes, size_t n)
{
    checksum_bytes += n;
    check_cost();
    return __real_crc32c(crc, bytes, n);
}

ssize_t __wrap_pread(int fd, void *bytes, size_t n, off_t offset)
{
    read_bytes += n;
    check_cost();
    return __real_pread(fd, bytes, n, offset);
}

ssize_t __wrap___pread_chk(int fd, void *bytes, size_t n, off_t offset, size_t size)
{
    read_bytes += n;
    check_cost();
    return __real___pread_chk(fd, bytes, n, offset, size);
}

static void begin(const char *name)
{
    what = name;
    checksum_bytes = read_bytes = 0;
}

static void setup(void)
{
    log_stand_init(&stand);
    log_stand_stop(&stand, true);
    stand.limits.segment_size = SEGMENT_SIZE;
    log_stand_start(&stand);
}

static void teardown(void)
{
    log_stand_deinit(&stand);
}

static void append(const uint8_t *data, size_t n)
{
    struct record record = {
        .data = data,
        .size = n,
        .peer = "192.0.2.1",
        .peer_port = "4711",
        .listener = "default",
        .connection = 1,
        .seq = stand.writer.number,
    };
    struct chunk chunk = { .size = log_record_size(&record) };
    uint8_t *bytes = chunk.bytes = malloc(chunk.size);

    log_record_put(bytes, &record, chunk.size);
    while (writer_append(&stand.writer, &chunk, 1, clock_us(CLOCK_REALTIME)) != 1)
        ck_assert_int_ge(store_keep(&stand.store, clock_us(CLOCK_REALTIME)), 0);
    ck_assert_int_eq(writer_sync(&stand.writer), 0);
    free(bytes);
}

/* Appends such a record, and returns its offset. */
static uint64_t append_crafted(size_t n)
{
    uint64_t offset = stand.writer.offset;
    size_t claim = n / 2 / PERIOD * PERIOD + 8;
    uint8_t *data = malloc(n);

    for (size_t i = 0; i + PERIOD <= n; i += PERIOD) {
        put_le32(data + i, (uint32_t)claim);
        put_le64(data + i + 4, stand.writer.number);
    }
    append(data, n / PERIOD * PERIOD);
    free(data);
    return offset;
}

/* Takes a sector from that record. */
static void damage(uint64_t offset)
{
    char path[sizeof stand.folder + SEGMENT_NAME_MAX + 1], name[SEGMENT_NAME_MAX];
    uint8_t zeros[SECTOR] = { 0 };
    int fd;

    segment_name(1, name);
    (void)snprintf(path, sizeof path, "%s/%s", stand.folder, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(file_write(fd, zeros, SECTOR, (offset / SECTOR + 1) * SECTOR), 0);
    (void)close(fd);
}

static unsigned read_all(int (*step)(struct reader *r, struct log_item *ret), struct reader *r)
{
    struct log_item item;
    unsigned n = 0;
    int result;

    while ((result = step(r, &item)) > 0)
        n++;
    ck_assert_int_eq(result, 0);
    return n;
}

/* The log has n records that can be read. */
static void read_both_ways(unsigned n)
{
    struct reader r;

    ck_assert_int_eq(reader_open(&r, stand.folder, &READER_SCOPE_ALL), 0);
    begin("reading forwards");
    ck_assert_uint_eq(read_all(reader_next, &r), n);
    begin("reading backwards");
    ck_assert_int_eq(reader_seek_end(&r), 0);
    ck_assert_uint_eq(read_all(reader_previous, &r), n);
    reader_close(&r);
}

static void recover_again(void)
{
    log_stand_stop(&stand, false);
    begin("recovery");
    log_stand_start(&stand);
    begin("writing");
}

START_TEST(a_crafted_record_at_the_end)
{
    append((const uint8_t *)"hi", 2);
    damage(append_crafted((size_t)6 * 1024 * 1024));
    read_both_ways(1);
    recover_again();
    ck_assert_uint_eq(stand.recovery.n_recovered, 1);
    ck_assert_uint_eq(stand.recovery.next_number, 2);
    read_both_ways(1);
}
END_TEST

/* The disk has lost what was synced, so that the records behind it have to be found. */
START_TEST(crafted_records_before_a_sound_one)
{
    append((const uint8_t *)"hi", 2);
    for (unsigned i = 0; i < DAMAGED; i++)
        damage(append_crafted(CRAFTED));
    append((const uint8_t *)"hi", 2);
    read_both_ways(2);
    recover_again();
    ck_assert_uint_eq(stand.recovery.n_recovered, 2);
    ck_assert_uint_eq(stand.recovery.n_damaged, DAMAGED);
    read_both_ways(2);
}
END_TEST

START_TEST(crafted_records_in_a_complete_segment)
{
    uint64_t offsets[DAMAGED];

    append((const uint8_t *)"hi", 2);
    for (unsigned i = 0; i < DAMAGED; i++)
        offsets[i] = append_crafted(CRAFTED);
    append((const uint8_t *)"hi", 2);
    log_stand_stop(&stand, true);
    for (unsigned i = 0; i < DAMAGED; i++)
        damage(offsets[i]);
    read_both_ways(2);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("log-crafted");
    TCase *c = tcase_create("log-crafted");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_crafted_record_at_the_end);
    tcase_add_test(c, crafted_records_before_a_sound_one);
    tcase_add_test(c, crafted_records_in_a_complete_segment);
    suite_add_tcase(suite, c);
    return suite;
}
