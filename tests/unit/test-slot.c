/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "net/loop.h"
#include "runner.h"
#include "serve/slot.h"

/* AddressSanitizer finds leaks and double frees. */

static struct loop loop;
static struct source owner;

static void setup(void)
{
    ck_assert_int_eq(loop_init(&loop), 0);
    owner = (struct source){ .fd = -1 };
}

static void teardown(void)
{
    loop_deinit(&loop);
}

START_TEST(whole_with_its_last_record)
{
    struct slot *s = slot_new(&owner, "reply", 5, 3);

    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(s->size, 5);
    ck_assert_mem_eq(s->bytes, "reply", 5);
    ck_assert(!slot_whole(s));
    slot_complete(s, &loop, 1, 0);
    ck_assert(!slot_whole(s));
    ck_assert(!owner.queued);
    slot_complete(s, &loop, 2, 0);
    ck_assert(slot_whole(s));
    ck_assert(s->error == 0);
    ck_assert(owner.queued);
    slot_let_go(s);
}
END_TEST

START_TEST(failed_with_any_of_its_records)
{
    for (unsigned bad = 0; bad < 3; bad++) {
        struct slot *s = slot_new(&owner, NULL, 0, 3);

        for (unsigned i = 0; i < 3; i++)
            slot_complete(s, &loop, 1, i == bad ? -EPERM : 0);
        ck_assert(slot_whole(s));
        ck_assert(s->error < 0);
        slot_let_go(s);
    }
}
END_TEST

START_TEST(an_owner_is_told_once)
{
    struct slot *a = slot_new(&owner, "x", 1, 1), *b = slot_new(&owner, "x", 1, 1);

    slot_complete(a, &loop, 1, 0);
    slot_complete(b, &loop, 1, 0);
    ck_assert(loop_again(&loop));
    ck_assert_ptr_eq(loop_next(&loop), &owner);
    ck_assert_ptr_null(loop_next(&loop));
    slot_let_go(a);
    slot_let_go(b);
}
END_TEST

START_TEST(an_owner_that_ended_is_not_told)
{
    struct slot *s = slot_new(&owner, "x", 1, 2);

    slot_complete(s, &loop, 1, 0);
    slot_let_go(s);
    slot_complete(s, &loop, 1, -EPERM); /* and frees it */
    ck_assert(!owner.queued);
    ck_assert(!loop_again(&loop));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("slot");
    TCase *cases = tcase_create("slot");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, whole_with_its_last_record);
    tcase_add_test(cases, failed_with_any_of_its_records);
    tcase_add_test(cases, an_owner_is_told_once);
    tcase_add_test(cases, an_owner_that_ended_is_not_told);
    suite_add_tcase(suite, cases);
    return suite;
}
