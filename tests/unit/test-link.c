/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "base/link.h"
#include "base/macros.h"
#include "random.h"
#include "runner.h"

#define N 8

static struct link links[N];

/* Checks that the list holds these in this order. "" is empty. */
static void check(struct link *list, const char *expected)
{
    struct link **pprev = &list, *l = list;

    for (; l; pprev = &l->next, l = l->next) {
        ck_assert_int_ne(*expected, '\0');
        ck_assert_ptr_eq(l, &links[*expected++ - '0']);
        /* The head itself belongs to the caller. */
        if (l != list)
            ck_assert_ptr_eq(l->pprev, pprev);
        ck_assert(link_linked(l));
    }
    ck_assert_int_eq(*expected, '\0');
}

START_TEST(all_zero_is_in_no_list)
{
    struct link l = { 0 };

    ck_assert(!link_linked(&l));
    link_remove(&l);
    ck_assert(!link_linked(&l));
}
END_TEST

START_TEST(at_the_head_and_behind_others)
{
    struct link *list = NULL;

    link_insert(&list, &links[1]);
    check(list, "1");
    link_insert(&list, &links[0]);
    check(list, "01");
    link_insert(&links[1].next, &links[3]);
    check(list, "013");
    link_insert(&links[1].next, &links[2]);
    check(list, "0123");
    link_remove(&links[2]);
    check(list, "013");
    ck_assert(!link_linked(&links[2]));
    link_remove(&links[2]);
    link_remove(&links[0]);
    check(list, "13");
    link_remove(&links[3]);
    check(list, "1");
    link_remove(&links[1]);
    ck_assert_ptr_null(list);
}
END_TEST

START_TEST(first_in_first_out)
{
    struct link_queue q;

    link_queue_init(&q);
    ck_assert_ptr_null(q.first);
    for (int i = 0; i < 4; i++)
        link_queue_append(&q, &links[i]);
    check(q.first, "0123");
    for (int i = 0; i < 4; i++) {
        ck_assert_ptr_eq(q.first, &links[i]);
        link_queue_remove(&q, &links[i]);
        ck_assert(!link_linked(&links[i]));
    }
    ck_assert_ptr_null(q.first);
    link_queue_append(&q, &links[5]);
    check(q.first, "5");
}
END_TEST

START_TEST(the_last_may_leave_a_queue)
{
    struct link_queue q;

    link_queue_init(&q);
    for (int i = 0; i < 3; i++)
        link_queue_append(&q, &links[i]);
    link_queue_remove(&q, &links[2]);
    link_queue_append(&q, &links[3]);
    check(q.first, "013");
    link_queue_remove(&q, &links[1]);
    check(q.first, "03");
    link_queue_remove(&q, &links[3]);
    link_queue_remove(&q, &links[0]);
    ck_assert_ptr_null(q.first);
    link_queue_append(&q, &links[1]);
    link_queue_append(&q, &links[2]);
    check(q.first, "12");
}
END_TEST

START_TEST(a_queue_agrees_with_a_string)
{
    char model[N + 1] = "";
    struct link_queue q;
    uint64_t random = 1;
    size_t n = 0;

    link_queue_init(&q);
    for (int i = 0; i < 100000; i++) {
        unsigned k = (unsigned)random_below(&random, N);
        char *found = strchr(model, '0' + (int)k);

        if (found) {
            link_queue_remove(&q, &links[k]);
            memmove(found, found + 1, strlen(found));
            n--;
        } else {
            link_queue_append(&q, &links[k]);
            model[n++] = (char)('0' + k);
            model[n] = '\0';
        }
        check(q.first, model);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("link");
    TCase *cases = tcase_create("link");

    tcase_add_test(cases, all_zero_is_in_no_list);
    tcase_add_test(cases, at_the_head_and_behind_others);
    tcase_add_test(cases, first_in_first_out);
    tcase_add_test(cases, the_last_may_leave_a_queue);
    tcase_add_test(cases, a_queue_agrees_with_a_string);
    suite_add_tcase(suite, cases);
    return suite;
}
