/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "output-stand.h"
#include "runner.h"

/* Memory: many replies use few bytes, few slots and few sends, and none is lost. */

/* Short replies are sent together, and cut wherever the kernel takes no more. */
START_TEST(many_short_replies)
{
    static struct slot *slots[5000];
    int size = 8192;
    size_t heard = 0;
    char text[16];

    ck_assert_int_eq(setsockopt(transport.source.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof text, "reply %06u\n", i);
        slots[i] = hold(text, 1);
    }
    for (unsigned i = 0; i < 5000; i++)
        complete(slots[i], 1);
    while (!output_is_empty(&output)) {
        size_t owed = output_size(&output);

        ck_assert_int_eq(output_flush(&output, context, &transport), 0);
        for (const char *byte = stand_hear(peer); *byte; byte++, heard++) {
            (void)snprintf(text, sizeof text, "reply %06u\n", (unsigned)(heard / 13 % 1000000));
            ck_assert_int_eq(*byte, text[heard % 13]);
        }
        ck_assert_uint_eq(output_size(&output) + heard, 5000 * 13);
        ck_assert_uint_lt(output_size(&output), owed);
        (void)loop_wait(&context->loop, 0);
        while (loop_next(&context->loop))
            ;
    }
    ck_assert_uint_eq(heard, 5000 * 13);
    ck_assert_uint_eq(context->budget.used, 0);
}
END_TEST

/* A peer that takes nothing costs only its pending bytes. Replies are not visited one by one. */
START_TEST(what_is_not_taken_is_one_slot)
{
    size_t sent = fill(), owed = 65536 - sent, heard = 0;
    struct slot *a, *b;

    for (unsigned i = 0; i < 10000; i++) {
        say("ok\n");
        owed += 3;
    }
    ck_assert_ptr_eq(output.last->next, output.last);
    for (unsigned i = 0; i < 5000; i++) {
        a = hold("one", 1);
        b = hold("", 1);
        complete(a, 1);
        complete(b, 1);
        ck_assert_int_eq(output_flush(&output, context, &transport), 0);
        ck_assert_ptr_eq(output.last->next, output.last);
        owed += 3;
    }
    ck_assert_uint_eq(output_size(&output), owed);
    ck_assert_uint_le(context->budget.used, sizeof(struct slot) + 2 * owed);
    a = hold("held", 1);
    say("error");
    ck_assert_ptr_ne(output.last, a);
    ck_assert_uint_eq(output_size(&output), owed + 9);
    complete(a, 1);
    while (!output_is_empty(&output)) {
        heard += strlen(stand_hear(peer));
        (void)loop_wait(&context->loop, 0);
        while (loop_next(&context->loop))
            ;
        ck_assert_int_eq(output_flush(&output, context, &transport), 0);
    }
    heard += strlen(stand_hear(peer));
    ck_assert_uint_eq(heard, sent + owed + 9);
    ck_assert_uint_eq(context->budget.used, 0);
}
END_TEST

/* Without memory the replies stay as they are, or the connection cannot continue. None is lost. */
START_TEST(stays_apart_without_memory)
{
    size_t owed = 65536 - fill();
    struct slot *a = hold("one", 1), *b = hold("two", 1);

    complete(a, 1);
    complete(b, 1);
    hooks_fail_allocation(1);
    ck_assert_int_eq(output_flush(&output, context, &transport), 0);
    ck_assert(hooks_allocation_failed());
    ck_assert_uint_eq(output_size(&output), owed + 6);
    ck_assert_ptr_eq(output.last, b);
    ck_assert_int_eq(output_flush(&output, context, &transport), 0);
    ck_assert_uint_eq(output_size(&output), owed + 6);
    ck_assert_ptr_eq(output.last->next, output.last);
    /* The existing slot may have room for a while. */
    for (int r = 0; r == 0;) {
        hooks_fail_allocation(1);
        r = output_send(&output, context, &transport, "more", 4);
        ck_assert_int_eq(r, hooks_allocation_failed() ? -ENOMEM : 0);
        hooks.allocation = 0;
    }
}
END_TEST

/* Nothing is left of a reply that could not be kept. */
START_TEST(no_memory_to_hold)
{
    struct slot *s;
    unsigned n;

    for (n = 1;; n++) {
        int r;

        hooks_fail_allocation(n);
        r = output_hold(&output, context, &transport, "one", 3, 1, &s);
        if (!hooks_allocation_failed()) {
            ck_assert_int_eq(r, 0);
            complete(s, 1);
            flush("one");
            break;
        }
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert_ptr_null(s);
        output_abandon(&output, context);
        ck_assert(output_is_empty(&output));
    }
    ck_assert_uint_eq(n, 2); /* only the slot */
    atomic_store(&stand.shared.memory_limit, sizeof(struct slot) + 2);
    ck_assert_int_eq(output_hold(&output, context, &transport, "one", 3, 1, &s), -ENOMEM);
    ck_assert_uint_eq(context->budget.used, 0);
}
END_TEST

START_TEST(no_memory_to_keep)
{
    static char large[65536];
    int size = 8192;

    ck_assert_int_eq(setsockopt(transport.source.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    hooks_fail_allocation(1);
    ck_assert_int_eq(output_send(&output, context, &transport, large, sizeof large), -ENOMEM);
    ck_assert(hooks_allocation_failed());
    ck_assert(output_is_empty(&output));
    ck_assert_uint_eq(context->budget.used, 0);
    atomic_store(&stand.shared.memory_limit, 10);
    ck_assert_int_eq(output_send(&output, context, &transport, large, sizeof large), -ENOMEM);
    ck_assert(output_is_empty(&output));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("output-memory");
    TCase *cases = tcase_create("output-memory");

    tcase_add_checked_fixture(cases, output_stand_begin, output_stand_end);
    tcase_add_test(cases, many_short_replies);
    tcase_add_test(cases, what_is_not_taken_is_one_slot);
    tcase_add_test(cases, stays_apart_without_memory);
    tcase_add_test(cases, no_memory_to_hold);
    tcase_add_test(cases, no_memory_to_keep);
    suite_add_tcase(suite, cases);
    return suite;
}
