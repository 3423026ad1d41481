/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/macros.h"
#include "log-stand.h"
#include "runner.h"

/* A store that cannot get what it needs: room, descriptors, or a disk that works. The linker replaces
 * these functions (ld(1), --wrap). */
static struct {
    int open_error;     /* of openat() of the spare */
    int allocate_error; /* of fallocate() */
    int write_error;    /* of pwritev() */
    int sync_error;     /* of fdatasync() */
    bool stops_at_sync; /* fdatasync() comes together with a stop */
    unsigned n_syncs;
} faults;

static struct log_stand stand;

int __real_openat(int fd, const char *name, int flags, ...);
int __real_fallocate(int fd, int mode, off_t offset, off_t size);
ssize_t __real_pwritev(int fd, const struct iovec *vectors, int n, off_t offset);
int __real_fdatasync(int fd);
int __wrap_openat(int fd, const char *name, int flags, ...);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t size);
ssize_t __wrap_pwritev(int fd, const struct iovec *vectors, int n, off_t offset);
int __wrap_fdatasync(int fd);

static int failed(int error)
{
    errno = error;
    return -1;
}

int __wrap_openat(int fd, const char *name, int flags, ...)
{
    va_list arguments;
    unsigned mode;

    va_start(arguments, flags);
    mode = va_arg(arguments, unsigned);
    va_end(arguments);
    if (faults.open_error && strcmp(name, STORE_SPARE) == 0)
        return failed(faults.open_error);
    return __real_openat(fd, name, flags, mode);
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t size)
{
    return faults.allocate_error ? failed(faults.allocate_error)
                                 : __real_fallocate(fd, mode, offset, size);
}

ssize_t __wrap_pwritev(int fd, const struct iovec *vectors, int n, off_t offset)
{
    return faults.write_error ? failed(faults.write_error) : __real_pwritev(fd, vectors, n, offset);
}

int __wrap_fdatasync(int fd)
{
    faults.n_syncs++;
    if (faults.stops_at_sync)
        store_stop(&stand.store);
    return faults.sync_error ? failed(faults.sync_error) : __real_fdatasync(fd);
}

static void setup(void)
{
    memset(&faults, 0, sizeof faults);
    log_stand_init(&stand);
}

static void teardown(void)
{
    memset(&faults, 0, sizeof faults);
    log_stand_deinit(&stand);
}

static int keep(void)
{
    int r;

    do
        r = store_keep(&stand.store, 0);
    while (r > 0);
    return r;
}

/* Appends one record, once. 1 or a negative errno. */
static ssize_t append(void)
{
    static uint8_t bytes[4096];
    struct record record = {
        .data = (const uint8_t *)"hello",
        .size = 5,
        .peer = "192.0.2.1",
        .peer_port = "4711",
        .listener = "default",
        .connection = 1,
        .seq = stand.writer.number,
    };
    struct chunk chunk = { .bytes = bytes, .size = log_record_size(&record) };

    log_record_put(bytes, &record, chunk.size);
    return writer_append(&stand.writer, &chunk, 1, 1);
}

/* --- errors --------------------------------------------------------------------------------- */

static const int passing[] = { EMFILE, ENFILE, ENOMEM };
static const int final[] = { EIO, EROFS, EACCES };

START_TEST(the_writer_tries_again_after_an_error_that_passes)
{
    ck_assert_int_eq(keep(), 0);
    faults.open_error = passing[_i];
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(append(), -passing[_i]);
    faults.open_error = 0;
    ck_assert_int_eq(append(), 1);
    ck_assert_int_eq(writer_sync(&stand.writer), 0);
}
END_TEST

START_TEST(the_keeper_tries_again_after_an_error_that_passes)
{
    faults.open_error = passing[_i];
    ck_assert_int_eq(keep(), -passing[_i]);
    ck_assert_int_eq(append(), -passing[_i]);
    faults.open_error = 0;
    ck_assert_int_eq(keep(), 0);
    ck_assert_int_eq(append(), 1);
}
END_TEST

/* The writer needs the spare, and the disk does not work. */
START_TEST(any_other_error_of_the_keeper_ends_the_log)
{
    faults.open_error = final[_i];
    ck_assert_int_eq(keep(), -final[_i]);
    ck_assert_int_eq(append(), -final[_i]);
    faults.open_error = 0;
    ck_assert_int_eq(keep(), 0);
    ck_assert_int_eq(append(), -final[_i]);
}
END_TEST

/* While a spare is not needed, the keeper may succeed with the next one. */
START_TEST(an_error_of_the_keeper_counts_when_the_spare_is_needed)
{
    ck_assert_int_eq(keep(), 0);
    ck_assert_int_eq(append(), 1);
    faults.sync_error = EIO;
    ck_assert_int_eq(keep(), -EIO);
    faults.sync_error = 0;
    ck_assert_int_eq(append(), 1);
    ck_assert_int_eq(keep(), 0);
    ck_assert_int_eq(writer_sync(&stand.writer), 0);
}
END_TEST

/* --- room ----------------------------------------------------------------------------------- */

/* Ten segments, or a few more. The newest one is being written. */
static void fill(void)
{
    while (stand.writer.serial <= 10) {
        log_stand_append(&stand, 10);
        (void)keep();
    }
    while (stand.store.has_spare) {
        log_stand_append(&stand, 10);
    }
}

/* fallocate() says so, although the file system reports enough free bytes: a quota, for example. */
START_TEST(a_disk_that_refuses_the_spare_costs_one_segment_at_most)
{
    size_t n;
    uint64_t size;

    fill();
    n = stand.store.n;
    faults.allocate_error = ENOSPC;
    for (unsigned i = 0; i < 20; i++) {
        (void)keep();
        (void)store_take(&stand.store, 1000, &stand.writer.head);
    }
    size = stand.store.limits.segment_size;
    /* A complete segment may be a little smaller than a segment's file. */
    ck_assert_uint_ge(stand.store.n, n - 2);
    ck_assert_uint_lt(stand.store.freed, 2 * size);
    faults.allocate_error = 0;
    ck_assert_int_eq(keep(), 0);
    ck_assert(stand.store.has_spare);
    ck_assert_uint_eq(stand.store.freed, 0);
}
END_TEST

START_TEST(a_disk_that_refuses_records_costs_one_segment_at_most)
{
    size_t n;

    fill();
    ck_assert_int_eq(keep(), 0);
    n = stand.store.n;
    faults.write_error = EDQUOT;
    for (unsigned i = 0; i < 20; i++) {
        ck_assert_int_eq(append(), -EDQUOT);
        (void)keep();
    }
    ck_assert_int_eq(keep(), -EDQUOT);
    ck_assert_uint_ge(stand.store.n, n - 2);
    faults.write_error = 0;
    ck_assert_int_eq(append(), 1);
    ck_assert_int_eq(keep(), 0);
}
END_TEST

/* --- a stop --------------------------------------------------------------------------------- */

START_TEST(a_stop_does_not_wait_for_the_spare)
{
    stand.store.limits.segment_size = UINT64_C(64) << 20;
    faults.stops_at_sync = true;
    ck_assert_int_eq(keep(), -EAGAIN);
    ck_assert_uint_eq(faults.n_syncs, 1);
    ck_assert_int_eq(faccessat(stand.store.dir_fd, STORE_SPARE, F_OK, 0), -1);
    ck_assert_int_eq(append(), -EAGAIN);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("log-room");
    TCase *c = tcase_create("log-room");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, the_writer_tries_again_after_an_error_that_passes, 0,
                        ARRAY_SIZE(passing));
    tcase_add_loop_test(c, the_keeper_tries_again_after_an_error_that_passes, 0,
                        ARRAY_SIZE(passing));
    tcase_add_loop_test(c, any_other_error_of_the_keeper_ends_the_log, 0, ARRAY_SIZE(final));
    tcase_add_test(c, an_error_of_the_keeper_counts_when_the_spare_is_needed);
    tcase_add_test(c, a_disk_that_refuses_the_spare_costs_one_segment_at_most);
    tcase_add_test(c, a_disk_that_refuses_records_costs_one_segment_at_most);
    tcase_add_test(c, a_stop_does_not_wait_for_the_spare);
    suite_add_tcase(suite, c);
    return suite;
}
