/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "log-stand.h"
#include "log/reader.h"
#include "runner.h"

/* A disk that refuses a call. The linker replaces these functions (ld(1), --wrap). */
static struct {
    uint64_t unreadable, from; /* reads of this segment's file fail at this offset or behind it */
    uint64_t unwritable;       /* writes to this segment's file fail behind its head */
    int write_error;
    int folder_error; /* of the next sync of a folder */
    int unlink_error;
    int rename_error; /* of renameat2() */
} faults;

static struct log_stand stand;
static struct gap gaps[8];
static size_t n_gaps;

ssize_t __real_pread(int fd, void *bytes, size_t n, off_t offset);
ssize_t __real___pread_chk(int fd, void *bytes, size_t n, off_t offset, size_t size);
ssize_t __real_pwrite(int fd, const void *bytes, size_t n, off_t offset);
int __real_fsync(int fd);
int __real_unlinkat(int fd, const char *name, int flags);
int __real_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags);
ssize_t __wrap_pread(int fd, void *bytes, size_t n, off_t offset);
ssize_t __wrap___pread_chk(int fd, void *bytes, size_t n, off_t offset, size_t size);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t n, off_t offset);
int __wrap_fsync(int fd);
int __wrap_unlinkat(int fd, const char *name, int flags);
int __wrap_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags);

static bool is_segment(int fd, uint64_t serial)
{
    char path[sizeof stand.folder + SEGMENT_NAME_MAX], name[SEGMENT_NAME_MAX];
    struct stat st, segment;

    segment_name(serial, name);
    (void)snprintf(path, sizeof path, "%s/%s", stand.folder, name);
    return serial > 0 && fstat(fd, &st) == 0 && stat(path, &segment) == 0 &&
           st.st_ino == segment.st_ino;
}

static bool fails(int error)
{
    errno = error;
    return error != 0;
}

static bool read_fails(int fd, size_t n, off_t offset)
{
    return (uint64_t)offset + n > faults.from && is_segment(fd, faults.unreadable) && fails(EIO);
}

ssize_t __wrap_pread(int fd, void *bytes, size_t n, off_t offset)
{
    return read_fails(fd, n, offset) ? -1 : __real_pread(fd, bytes, n, offset);
}

ssize_t __wrap___pread_chk(int fd, void *bytes, size_t n, off_t offset, size_t size)
{
    return read_fails(fd, n, offset) ? -1 : __real___pread_chk(fd, bytes, n, offset, size);
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    if (offset > LOG_HEAD_SIZE && is_segment(fd, faults.unwritable) && fails(faults.write_error))
        return -1;
    return __real_pwrite(fd, bytes, n, offset);
}

int __wrap_fsync(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && fails(faults.folder_error)) {
        faults.folder_error = 0;
        return -1;
    }
    return __real_fsync(fd);
}

int __wrap_unlinkat(int fd, const char *name, int flags)
{
    return fails(faults.unlink_error) ? -1 : __real_unlinkat(fd, name, flags);
}

int __wrap_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
{
    return fails(faults.rename_error) ? -1 : __real_renameat2(from, name, to, new_name, flags);
}

static void setup(void)
{
    memset(&faults, 0, sizeof faults);
    n_gaps = 0;
    log_stand_init(&stand);
}

static void teardown(void)
{
    memset(&faults, 0, sizeof faults);
    log_stand_deinit(&stand);
}

/* Records 1 to 1000, in some segments; what follows counts in these. */
static void fill(void)
{
    for (unsigned i = 0; i < 100; i++)
        log_stand_append(&stand, 10);
}

static void make_unreadable(uint64_t serial, uint64_t from)
{
    faults.unreadable = serial;
    faults.from = from;
}

/* The numbers of a segment's records are [*ret, the return value). */
static uint64_t numbers(uint64_t serial, uint64_t *ret)
{
    struct segment s;
    uint64_t end;

    ck_assert_int_eq(segment_open(&s, stand.store.dir_fd, serial), 0);
    ck_assert_ptr_nonnull(s.index);
    *ret = s.index->first;
    end = s.index->last + 1;
    segment_close(&s);
    return end;
}

/* Cuts off the index. */
static void drop_index(uint64_t serial)
{
    char name[SEGMENT_NAME_MAX];
    struct segment s;
    int fd;

    ck_assert_int_eq(segment_open(&s, stand.store.dir_fd, serial), 0);
    segment_name(serial, name);
    fd = openat(stand.store.dir_fd, name, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)s.index->end), 0);
    (void)close(fd);
    segment_close(&s);
}

/* --- recovery ------------------------------------------------------------------------------- */

static int try_to_recover(struct recovery *ret)
{
    struct store store;
    pid_t holder;
    int r;

    ck_assert_int_eq(store_open(&store, stand.folder, &holder), 0);
    store_limit(&store, &stand.limits);
    r = recover(&store, NULL, ret);
    store_close(&store);
    return r;
}

START_TEST(an_older_segment_that_cannot_be_read_costs_only_its_records)
{
    bool by_head = _i == 0, two = _i == 2;

    fill();
    if (!by_head)
        drop_index(2);
    log_stand_stop(&stand, true);
    make_unreadable(2, by_head ? 0 : LOG_HEAD_SIZE);
    if (two)
        make_unreadable(3, 0);
    log_stand_start(&stand);
    ck_assert_uint_eq(stand.recovery.n_bad, 1);
    ck_assert_uint_eq(stand.recovery.bad_segment, two ? 3 : 2);
    ck_assert_uint_eq(stand.recovery.next_number, 1001);
    faults.unreadable = 0;
    ck_assert_uint_eq(log_stand_check(&stand, UINT64_MAX), 1000);
}
END_TEST

/* Its first record is lost, but its head tells the numbers of those before it. */
START_TEST(an_empty_last_segment_stays_behind_one_that_cannot_be_read)
{
    struct log_head head = { .serial = 2, .salt = 1, .first = 8 };

    log_stand_append(&stand, 7);
    log_stand_stop(&stand, true);
    log_stand_start(&stand);
    while (store_keep(&stand.store, 0) > 0)
        ;
    (void)close(store_take(&stand.store, head.serial, &head));
    make_unreadable(1, 0);
    for (unsigned round = 0; round < 3; round++) {
        log_stand_stop(&stand, false);
        log_stand_start(&stand);
        ck_assert_uint_eq(stand.recovery.next_number, 8);
    }
}
END_TEST

START_TEST(a_last_segment_that_cannot_be_read_is_an_error)
{
    struct recovery rec;
    uint64_t serial;

    fill();
    serial = stand.writer.head.serial;
    log_stand_stop(&stand, false);
    for (unsigned i = 0; i < 2; i++) {
        make_unreadable(serial, i == 0 ? 0 : LOG_HEAD_SIZE);
        ck_assert_int_eq(try_to_recover(&rec), -EIO);
        ck_assert_uint_eq(rec.failed, serial);
    }
    faults.unreadable = 0;
    log_stand_start(&stand);
    ck_assert_uint_eq(stand.recovery.next_number, 1001);
    ck_assert_uint_eq(log_stand_check(&stand, UINT64_MAX), 1000);
}
END_TEST

/* Its age is that of the file, so it does not hold up those behind it. */
START_TEST(a_segment_that_cannot_be_read_gets_too_old)
{
    struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
    char name[SEGMENT_NAME_MAX];

    fill();
    log_stand_stop(&stand, true);
    make_unreadable(1, 0);
    log_stand_start(&stand);
    stand.store.limits.max_age_us = UINT64_C(1000000);
    ck_assert_int_eq(store_keep(&stand.store, 1000), 1); /* the spare */
    ck_assert_int_eq(store_keep(&stand.store, 1000), 0);
    log_stand_stop(&stand, true);
    segment_name(1, name);
    log_stand_start(&stand);
    ck_assert_int_eq(utimensat(stand.store.dir_fd, name, times, 0), 0);
    log_stand_stop(&stand, true);
    log_stand_start(&stand);
    ck_assert_uint_eq(stand.store.segments[0].newest_us, UINT64_C(1000000000));
    stand.store.limits.max_age_us = UINT64_C(1000000);
    while (store_keep(&stand.store, UINT64_MAX / 2) > 0)
        ;
    ck_assert_uint_eq(stand.store.n, 1);
}
END_TEST

/* The index is not needed. */
START_TEST(a_segment_without_room_for_its_index_is_complete)
{
    static const int errors[] = { ENOSPC, EDQUOT };

    log_stand_append(&stand, 10);
    log_stand_stop(&stand, false);
    faults.unwritable = 1;
    faults.write_error = errors[_i];
    log_stand_start(&stand);
    ck_assert_uint_eq(stand.recovery.n_recovered, 10);
    ck_assert_uint_eq(stand.recovery.next_number, 11);
    ck_assert_uint_eq(log_stand_check(&stand, UINT64_MAX), 10);
}
END_TEST

/* --- the store ------------------------------------------------------------------------------ */

static void make_spare(void)
{
    while (store_keep(&stand.store, 0) > 0)
        ;
    ck_assert(stand.store.has_spare);
}

static bool has_file(const char *name)
{
    return faccessat(stand.store.dir_fd, name, F_OK, 0) == 0;
}

/* Takes the spare, which succeeds. */
static void take(uint64_t serial)
{
    struct log_head head = { .serial = serial, .salt = 1, .first = 1 };
    char name[SEGMENT_NAME_MAX];
    int fd = store_take(&stand.store, serial, &head);

    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    segment_name(serial, name);
    ck_assert(has_file(name));
    ck_assert(!has_file(STORE_SPARE));
    ck_assert(!stand.store.has_spare);
}

START_TEST(a_spare_whose_name_cannot_be_synced_is_the_spare_again)
{
    struct log_head head = { .serial = 1, .salt = 1, .first = 1 };

    make_spare();
    for (unsigned i = 0; i < 2; i++) {
        faults.folder_error = ENOSPC;
        ck_assert_int_eq(store_take(&stand.store, 1, &head), -ENOSPC);
        ck_assert(stand.store.has_spare && !stand.store.writing);
        ck_assert(has_file(STORE_SPARE) && !has_file("0000000001.log"));
    }
    take(1);
}
END_TEST

START_TEST(a_spare_never_replaces_a_segment)
{
    struct log_head head = { .serial = 1, .salt = 1, .first = 1 };
    int fd = openat(stand.store.dir_fd, "0000000001.log", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;

    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    make_spare();
    ck_assert_int_eq(store_take(&stand.store, 1, &head), -EEXIST);
    ck_assert(stand.store.has_spare);
    ck_assert_int_eq(fstatat(stand.store.dir_fd, "0000000001.log", &st, 0), 0);
    ck_assert_int_eq(st.st_size, 0);
    take(2);
}
END_TEST

START_TEST(a_file_system_without_renameat2)
{
    static const int errors[] = { EINVAL, ENOSYS };

    make_spare();
    faults.rename_error = errors[_i];
    take(1);
}
END_TEST

START_TEST(a_spare_that_somebody_removes_is_made_again)
{
    struct log_head head = { .serial = 1, .salt = 1, .first = 1 };

    make_spare();
    ck_assert_int_eq(unlinkat(stand.store.dir_fd, STORE_SPARE, 0), 0);
    ck_assert_int_eq(store_take(&stand.store, 1, &head), -EAGAIN);
    make_spare();
    take(1);
}
END_TEST

START_TEST(a_segment_that_cannot_be_removed_does_not_hold_up_others)
{
    size_t n;

    fill();
    stand.store.limits.max_age_us = 1;
    n = stand.store.n;
    faults.unlink_error = EACCES;
    ck_assert_int_eq(store_keep(&stand.store, UINT64_MAX / 2), 1);
    ck_assert_uint_eq(stand.store.kept, 1);
    ck_assert_int_eq(stand.store.kept_error, -EACCES);
    faults.unlink_error = 0;
    ck_assert_int_eq(store_keep(&stand.store, UINT64_MAX / 2), 1);
    ck_assert_uint_eq(stand.store.kept, 1);
    ck_assert_uint_eq(stand.store.n, n - 2);
    ck_assert(has_file("0000000001.log") && !has_file("0000000002.log"));
}
END_TEST

/* --- the reader ----------------------------------------------------------------------------- */

static void keep_gap(_unused_ void *userdata, const struct gap *gap)
{
    ck_assert_uint_lt(n_gaps, ARRAY_SIZE(gaps));
    gaps[n_gaps++] = *gap;
}

static void check_gap(uint64_t serial, uint64_t from, uint64_t to)
{
    const struct gap *gap = &gaps[n_gaps - 1];

    ck_assert_uint_gt(n_gaps, 0);
    ck_assert_int_eq(gap->kind, GAP_UNREADABLE);
    ck_assert_int_eq(gap->error, -EIO);
    ck_assert_uint_eq(gap->serial, serial);
    ck_assert_uint_eq(gap->last_serial, serial);
    ck_assert_uint_eq(gap->from, from);
    ck_assert_uint_eq(gap->to, to);
}

static uint64_t read_all(struct reader *r, bool backwards)
{
    struct log_item item;
    uint64_t n = 0;
    int result;

    for (; (result = backwards ? reader_previous(r, &item) : reader_next(r, &item)) > 0; n++)
        log_stand_check_item(&stand, &item);
    ck_assert_int_eq(result, 0);
    return n;
}

static void read_both_ways(uint64_t serial, uint64_t first, uint64_t end)
{
    struct reader r;

    ck_assert_int_eq(reader_open(&r, stand.folder, &READER_SCOPE_ALL), 0);
    r.on_gap = keep_gap;
    ck_assert_uint_eq(read_all(&r, false), 1000 - (end - first));
    ck_assert_uint_eq(n_gaps, 1);
    check_gap(serial, first, end - 1);
    ck_assert_int_eq(reader_seek_end(&r), 0);
    ck_assert_uint_eq(read_all(&r, true), 1000 - (end - first));
    ck_assert_uint_eq(n_gaps, 2);
    check_gap(serial, first, end - 1);
    reader_close(&r);
}

START_TEST(the_reader_passes_a_segment_that_cannot_be_read)
{
    uint64_t first, end;

    fill();
    end = numbers(2, &first);
    make_unreadable(2, _i == 0 ? 0 : LOG_HEAD_SIZE);
    read_both_ways(2, first, end);
}
END_TEST

START_TEST(the_reader_says_so_of_the_first_and_of_the_last_segment)
{
    uint64_t first, end, last;
    struct reader r;

    fill();
    end = numbers(1, &first);
    last = stand.writer.head.serial;
    first = stand.writer.head.first;
    ck_assert_int_eq(reader_open(&r, stand.folder, &READER_SCOPE_ALL), 0);
    r.on_gap = keep_gap;
    make_unreadable(1, 0);
    ck_assert_uint_eq(read_all(&r, false), 1001 - end);
    check_gap(1, 0, end - 1);
    ck_assert_int_eq(reader_seek_end(&r), 0);
    ck_assert_uint_eq(read_all(&r, true), 1001 - end);
    check_gap(1, 0, end - 1);
    reader_close(&r);
    ck_assert_uint_eq(n_gaps, 2);

    ck_assert_int_eq(reader_open(&r, stand.folder, &READER_SCOPE_ALL), 0);
    r.on_gap = keep_gap;
    make_unreadable(last, LOG_HEAD_SIZE);
    ck_assert_uint_eq(read_all(&r, false), first - 1);
    check_gap(last, first, 0);
    ck_assert_int_eq(reader_seek_end(&r), 0);
    ck_assert_uint_eq(read_all(&r, true), first - 1);
    check_gap(last, first, 0);
    reader_close(&r);
    ck_assert_uint_eq(n_gaps, 4);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("log-faults");
    TCase *c = tcase_create("log-faults");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, an_older_segment_that_cannot_be_read_costs_only_its_records, 0, 3);
    tcase_add_test(c, an_empty_last_segment_stays_behind_one_that_cannot_be_read);
    tcase_add_test(c, a_last_segment_that_cannot_be_read_is_an_error);
    tcase_add_test(c, a_segment_that_cannot_be_read_gets_too_old);
    tcase_add_loop_test(c, a_segment_without_room_for_its_index_is_complete, 0, 2);
    tcase_add_test(c, a_spare_whose_name_cannot_be_synced_is_the_spare_again);
    tcase_add_test(c, a_spare_never_replaces_a_segment);
    tcase_add_loop_test(c, a_file_system_without_renameat2, 0, 2);
    tcase_add_test(c, a_spare_that_somebody_removes_is_made_again);
    tcase_add_test(c, a_segment_that_cannot_be_removed_does_not_hold_up_others);
    tcase_add_loop_test(c, the_reader_passes_a_segment_that_cannot_be_read, 0, 2);
    tcase_add_test(c, the_reader_says_so_of_the_first_and_of_the_last_segment);
    suite_add_tcase(suite, c);
    return suite;
}
