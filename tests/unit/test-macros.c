/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "runner.h"

START_TEST(array_size)
{
    int numbers[7];
    const char *words[] = { "one", "two" };

    ck_assert_uint_eq(ARRAY_SIZE(numbers), 7);
    ck_assert_uint_eq(ARRAY_SIZE(words), 2);
}
END_TEST

START_TEST(container_of)
{
    struct outer {
        int before;
        int member;
        int after;
    } outer;

    ck_assert_ptr_eq(CONTAINER_OF(&outer.before, struct outer, before), &outer);
    ck_assert_ptr_eq(CONTAINER_OF(&outer.member, struct outer, member), &outer);
}
END_TEST

START_TEST(min_max)
{
    int i = 1, j = 5;

    ck_assert_int_eq(MIN(-3, 2), -3);
    ck_assert_int_eq(MAX(-3, 2), 2);
    ck_assert_int_eq(MIN(MAX(1, 4), 3), 3);

    /* Each argument is evaluated once. */
    ck_assert_int_eq(MAX(i++, j++), 5);
    ck_assert_int_eq(i, 2);
    ck_assert_int_eq(j, 6);
}
END_TEST

START_TEST(div_round_up)
{
    ck_assert_uint_eq(DIV_ROUND_UP(0U, 8U), 0);
    ck_assert_uint_eq(DIV_ROUND_UP(1U, 8U), 1);
    ck_assert_uint_eq(DIV_ROUND_UP(8U, 8U), 1);
    ck_assert_uint_eq(DIV_ROUND_UP(9U, 8U), 2);
    ck_assert_uint_eq(DIV_ROUND_UP(DIV_ROUND_UP(17U, 4U), 2U), 3);
    ck_assert_uint_eq(DIV_ROUND_UP(SIZE_MAX, (size_t)1), SIZE_MAX);
    ck_assert_uint_eq(DIV_ROUND_UP(SIZE_MAX, SIZE_MAX), 1);
}
END_TEST

static void count(int **counter)
{
    ++**counter;
}

START_TEST(cleanup_runs_at_scope_end)
{
    int left = 0;

    for (int i = 0; i < 3; i++) {
        _cleanup_(count) _unused_ int *counter = &left;

        ck_assert_int_eq(left, i);
        if (i == 1)
            continue;
        ck_assert_int_eq(left, i);
    }
    ck_assert_int_eq(left, 3);
}
END_TEST

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int open_something(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(cleanup_close_closes)
{
    int number;

    {
        _cleanup_close_ int fd = open_something();

        number = fd;
        ck_assert(is_open(number));
        errno = ENOTTY;
    }
    ck_assert_int_eq(errno, ENOTTY);
    ck_assert(!is_open(number));
}
END_TEST

START_TEST(steal_fd_keeps_it_open)
{
    int number;

    {
        _cleanup_close_ int fd = open_something();

        number = STEAL_FD(fd);
        ck_assert_int_eq(fd, -1);
    }
    ck_assert(is_open(number));
    ck_assert_int_eq(close_fd(number), -1);
    ck_assert(!is_open(number));
}
END_TEST

START_TEST(steal_ptr_keeps_it)
{
    char *kept;

    {
        _cleanup_free_ char *text = strdup("kept");

        ck_assert_ptr_nonnull(text);
        kept = STEAL_PTR(text);
        ck_assert_ptr_null(text);
    }
    ck_assert_str_eq(kept, "kept");
    free(kept);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("macros");
    TCase *cases = tcase_create("macros");

    tcase_add_test(cases, array_size);
    tcase_add_test(cases, container_of);
    tcase_add_test(cases, min_max);
    tcase_add_test(cases, div_round_up);
    tcase_add_test(cases, cleanup_runs_at_scope_end);
    tcase_add_test(cases, cleanup_close_closes);
    tcase_add_test(cases, steal_fd_keeps_it_open);
    tcase_add_test(cases, steal_ptr_keeps_it);
    suite_add_tcase(suite, cases);
    return suite;
}
