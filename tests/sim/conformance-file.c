/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files and folders: the kernel and the model of its disk. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "conformance.h"

static char folder_path[64];

static int folder(void)
{
    int fd;

    (void)snprintf(folder_path, sizeof folder_path, "/tmp/answerd-files-%d", getpid());
    if (asking_model())
        ck_assert_int_eq(mkdir("/tmp", 0700), 0);
    ck_assert_int_eq(mkdir(folder_path, 0700), 0);
    fd = open(folder_path, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* Only the kernel's files outlive the case. */
static void remove_folder(int fd)
{
    static const char *const names[] = { "a", "b", "c" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlinkat(fd, names[i], 0);
    close(fd);
    if (!asking_model())
        ck_assert_int_eq(rmdir(folder_path), 0);
}

static int create(int in, const char *name)
{
    int fd = openat(in, name, O_RDWR | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    return fd;
}

static off_t size_of(int fd)
{
    struct stat st;

    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert(S_ISREG(st.st_mode));
    return st.st_size;
}

static void expect(int fd, off_t at, const char *bytes, size_t n)
{
    char buffer[64];

    ck_assert_int_eq(pread(fd, buffer, n, at), (ssize_t)n);
    ck_assert_int_eq(memcmp(buffer, bytes, n), 0);
}

START_TEST(a_file_is_zero_where_nothing_was_written)
{
    ask(_i);
    int in = folder(), fd = create(in, "a");
    char byte;

    ck_assert_int_eq(pwrite(fd, "xyz", 3, 1000), 3);
    ck_assert_int_eq(size_of(fd), 1003);
    expect(fd, 998, "\0\0xyz", 5);
    ck_assert_int_eq(pread(fd, &byte, 1, 1003), 0);
    ck_assert_int_eq(pread(fd, &byte, 1, 5000), 0);
    close(fd);
    remove_folder(in);
}
END_TEST

START_TEST(what_was_cut_off_does_not_come_back)
{
    ask(_i);
    int in = folder(), fd = create(in, "a"), again;

    ck_assert_int_eq(pwrite(fd, "abcdef", 6, 0), 6);
    ck_assert_int_eq(ftruncate(fd, 2), 0);
    ck_assert_int_eq(ftruncate(fd, 6), 0);
    expect(fd, 0, "ab\0\0\0\0", 6);
    again = create(in, "a");
    ck_assert_int_eq(size_of(fd), 0);
    close(again);
    close(fd);
    remove_folder(in);
}
END_TEST

START_TEST(vectors_are_written_one_behind_the_other)
{
    ask(_i);
    int in = folder(), fd = create(in, "a");
    struct iovec vectors[] = { { .iov_base = (char[]){ "ab" }, .iov_len = 2 },
                               { .iov_base = (char[]){ "c" }, .iov_len = 1 } };

    ck_assert_int_eq(pwritev(fd, vectors, 2, 1), 3);
    expect(fd, 0, "\0abc", 4);
    close(fd);
    remove_folder(in);
}
END_TEST

START_TEST(space_can_be_had_before_the_size_grows)
{
    ask(_i);
    int in = folder(), fd = create(in, "a");
    struct stat st;

    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100000) == 0) {
        ck_assert_int_eq(fstat(fd, &st), 0);
        ck_assert_int_eq(st.st_size, 0);
        ck_assert_int_ge(st.st_blocks * 512, 100000);
    } else { /* not every file system can */
        ck_assert(!asking_model());
        ck_assert_int_eq(errno, EOPNOTSUPP);
    }
    ck_assert_int_eq(fdatasync(fd), 0);
    ck_assert_int_eq(fsync(in), 0);
    close(fd);
    remove_folder(in);
}
END_TEST

START_TEST(a_new_name_replaces_another_file)
{
    ask(_i);
    int in = folder(), a = create(in, "a"), b = create(in, "b");
    struct stat st;

    ck_assert_int_eq(pwrite(a, "a", 1, 0), 1);
    ck_assert_int_eq(pwrite(b, "bb", 2, 0), 2);
    ck_assert_int_eq(renameat2(in, "a", in, "b", RENAME_NOREPLACE), -1);
    ck_assert_int_eq(errno, EEXIST);
    ck_assert_int_eq(renameat2(in, "a", in, "c", RENAME_NOREPLACE), 0);
    ck_assert_int_eq(renameat2(in, "a", in, "c", RENAME_NOREPLACE), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(renameat(in, "c", in, "a"), 0);
    ck_assert_int_eq(renameat(in, "a", in, "b"), 0);
    ck_assert_int_eq(fstatat(in, "a", &st, 0), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(fstatat(in, "b", &st, 0), 0);
    ck_assert_int_eq(st.st_size, 1);
    expect(b, 0, "bb", 2); /* it has no name any more */
    ck_assert_int_eq(renameat(in, "a", in, "b"), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(unlinkat(in, "b", 0), 0);
    ck_assert_int_eq(unlinkat(in, "b", 0), -1);
    ck_assert_int_eq(errno, ENOENT);
    expect(a, 0, "a", 1);
    close(a);
    close(b);
    remove_folder(in);
}
END_TEST

START_TEST(a_lock_belongs_to_an_open_file)
{
    ask(_i);
    int in = folder(), first = create(in, "a"), second = create(in, "a");
    int same = fcntl(first, F_DUPFD_CLOEXEC, 0);

    ck_assert_int_eq(flock(first, LOCK_EX | LOCK_NB), 0);
    ck_assert_int_eq(flock(same, LOCK_EX | LOCK_NB), 0);
    ck_assert_int_eq(flock(second, LOCK_EX | LOCK_NB), -1);
    ck_assert_int_eq(errno, EWOULDBLOCK);
    close(first);
    ck_assert_int_eq(flock(second, LOCK_EX | LOCK_NB), -1);
    close(same);
    ck_assert_int_eq(flock(second, LOCK_EX | LOCK_NB), 0);
    close(second);
    remove_folder(in);
}
END_TEST

START_TEST(names_are_listed)
{
    ask(_i);
    int in = folder(), at = openat(in, ".", O_RDONLY | O_DIRECTORY);
    struct dirent *entry;
    unsigned found = 0;
    DIR *dir;

    close(create(in, "a"));
    close(create(in, "b"));
    dir = fdopendir(at);
    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            found |= 1U << (entry->d_name[0] - 'a');
    ck_assert_uint_eq(found, 3);
    closedir(dir);
    ck_assert_int_eq(fcntl(at, F_GETFD), -1);
    remove_folder(in);
}
END_TEST

START_TEST(wrong_calls_have_the_same_errors)
{
    ask(_i);
    int in = folder(), fd = create(in, "a"), read_only = openat(in, "a", O_RDONLY);
    char byte = 0;

    ck_assert_int_eq(pwrite(read_only, &byte, 1, 0), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(ftruncate(read_only, 0), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(pread(in, &byte, 1, 0), -1);
    ck_assert_int_eq(errno, EISDIR);
    ck_assert_int_eq(openat(in, "none", O_RDONLY), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(openat(in, "a", O_RDONLY | O_DIRECTORY), -1);
    ck_assert_int_eq(errno, ENOTDIR);
    ck_assert_int_eq(openat(in, "a", O_RDWR | O_CREAT | O_EXCL, 0600), -1);
    ck_assert_int_eq(errno, EEXIST);
    ck_assert_int_eq(mkdir(folder_path, 0700), -1);
    ck_assert_int_eq(errno, EEXIST);
    ck_assert_int_eq(mkdir("/none/such", 0700), -1);
    ck_assert_int_eq(errno, ENOENT);
    close(read_only);
    close(fd);
    remove_folder(in);
}
END_TEST

void add_file_cases(TCase *tc)
{
    tcase_add_loop_test(tc, a_file_is_zero_where_nothing_was_written, 0, ASK_BOTH);
    tcase_add_loop_test(tc, what_was_cut_off_does_not_come_back, 0, ASK_BOTH);
    tcase_add_loop_test(tc, vectors_are_written_one_behind_the_other, 0, ASK_BOTH);
    tcase_add_loop_test(tc, space_can_be_had_before_the_size_grows, 0, ASK_BOTH);
    tcase_add_loop_test(tc, a_new_name_replaces_another_file, 0, ASK_BOTH);
    tcase_add_loop_test(tc, a_lock_belongs_to_an_open_file, 0, ASK_BOTH);
    tcase_add_loop_test(tc, names_are_listed, 0, ASK_BOTH);
    tcase_add_loop_test(tc, wrong_calls_have_the_same_errors, 0, ASK_BOTH);
}
