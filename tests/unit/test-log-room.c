/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "log-stand.h"
#include "runner.h"

/* A store that cannot get what it needs: room, descriptors, or a disk that works. The linker replaces
 * these functions (ld(1), --wrap). */
static struct {
    int open_error;     /* of openat() of the spare */
    int allocate_error; /* of fallocate() */
    int sync_error;     /* of fdatasync() */
} faults;

static struct log_stand stand;

int __real_openat(int fd, const char *name, int flags, ...);
int __real_fallocate(int fd, int mode, off_t offset, off_t size);
int __real_fdatasync(int fd);
int __wrap_openat(int fd, const char *name, int flags, ...);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t size);
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

int __wrap_fdatasync(int fd)
{
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

Suite *test_suite(void)
{
    Suite *suite = suite_create("log-room");
    TCase *c = tcase_create("errors");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, the_writer_tries_again_after_an_error_that_passes, 0,
                        ARRAY_SIZE(passing));
    tcase_add_loop_test(c, the_keeper_tries_again_after_an_error_that_passes, 0,
                        ARRAY_SIZE(passing));
    tcase_add_loop_test(c, any_other_error_of_the_keeper_ends_the_log, 0, ARRAY_SIZE(final));
    tcase_add_test(c, an_error_of_the_keeper_counts_when_the_spare_is_needed);
    suite_add_tcase(suite, c);
    return suite;
}
