/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "output-stand.h"
#include "runner.h"

/* Sending: which bytes, when, and in which order. test-output-memory.c has the rest. */

START_TEST(sent_at_once)
{
    say("one");
    ck_assert(output_is_empty(&output));
    ck_assert_str_eq(stand_hear(peer), "one");
    say("");
    ck_assert(output_is_empty(&output));
    flush("");
    ck_assert_uint_eq(counter_get(&context->counters.bytes_out), 3);
    ck_assert_uint_eq(output_size(&output), 0);
    ck_assert(!output_holds(&output));
}
END_TEST

START_TEST(held_until_its_record_is_made)
{
    struct slot *s = hold("one", 2);

    ck_assert(output_holds(&output));
    ck_assert_uint_eq(output_size(&output), 3);
    ck_assert_ptr_eq(s->owner, &transport.source);
    flush("");
    complete(s, 1);
    flush("");
    ck_assert(!transport.source.queued);
    complete(s, 1);
    ck_assert(transport.source.queued);
    flush("one");
    ck_assert(output_is_empty(&output));
}
END_TEST

/* Every order of completion: the leading whole replies are sent, never later ones. */
START_TEST(in_order_whatever_is_completed_first)
{
    static const char texts[4][4] = { "a1", "b2", "c3", "d4" };
    int order[4] = { 0, 1, 2, 3 };
    char heard[16] = "", expected[16] = "";
    bool done[4] = { false };
    struct slot *s[4];

    /* The _i-th permutation. */
    for (int i = 3, rest = _i; i > 0; rest /= i + 1, i--) {
        int other = rest % (i + 1), kept = order[i];

        order[i] = order[other];
        order[other] = kept;
    }
    for (int i = 0; i < 4; i++)
        s[i] = hold(texts[i], 1);
    for (int i = 0; i < 4; i++) {
        complete(s[order[i]], 1);
        done[order[i]] = true;
        ck_assert_int_eq(output_flush(&output, context, &transport), 0);
        strcat(heard, stand_hear(peer));
        expected[0] = '\0';
        for (int k = 0; k < 4 && done[k]; k++)
            strcat(expected, texts[k]);
        ck_assert_str_eq(heard, expected);
    }
    ck_assert(output_is_empty(&output));
}
END_TEST

/* A reply without a record is sent after the reply before it, not earlier. */
START_TEST(an_error_behind_held_replies)
{
    struct slot *a = hold("one", 1), *b = hold("two", 1);

    say("error");
    flush("");
    complete(b, 1);
    flush("");
    complete(a, 1);
    flush("onetwoerror");
    a = hold("three", 1);
    complete(a, 1);
    say("behind one that is whole");
    flush("threebehind one that is whole");
    ck_assert(output_is_empty(&output));
}
END_TEST

START_TEST(empty_replies_are_sent_in_order)
{
    struct slot *a = hold("", 1), *b = hold("", 1), *c;

    ck_assert(output_holds(&output));
    ck_assert_uint_eq(output_size(&output), 0);
    complete(a, 1);
    flush("");
    ck_assert(output_holds(&output));
    c = hold("text", 1);
    complete(c, 1);
    flush("");
    complete(b, 1);
    flush("text");
    ck_assert(output_is_empty(&output));
    a = hold("", 1);
    slot_complete(a, &context->loop, 1, -EPERM);
    ck_assert_int_lt(output_flush(&output, context, &transport), 0);
    ck_assert(output_is_empty(&output));
}
END_TEST

/* Earlier replies are sent. The failed one and later ones are not, although their records may still
 * be made. */
START_TEST(a_record_that_cannot_be_made)
{
    struct slot *a = hold("one", 1), *b = hold("two", 2), *c = hold("three", 1), *d = hold("x", 1);

    complete(b, 1);
    complete(c, 1);
    slot_complete(b, &context->loop, 1, -EPERM);
    flush(""); /* the first record is not made yet */
    complete(a, 1);
    ck_assert_int_lt(output_flush(&output, context, &transport), 0);
    ck_assert_str_eq(stand_hear(peer), "one");
    ck_assert(output_is_empty(&output));
    complete(d, 1); /* frees it */
    say("error");
    ck_assert_str_eq(stand_hear(peer), "error");
}
END_TEST

/* Dropped before a flush could report it. */
START_TEST(abandon_returns_an_unreported_failure)
{
    struct slot *a = hold("one", 1), *b = hold("two", 1);

    slot_complete(b, &context->loop, 1, -EPERM);
    ck_assert_int_eq(output_abandon(&output, context), -EPERM);
    complete(a, 1); /* frees it */
    ck_assert_int_eq(output_abandon(&output, context), 0);
}
END_TEST

START_TEST(sends_as_much_as_the_kernel_takes)
{
    size_t heard, sent = fill();
    struct slot *s;

    ck_assert_uint_eq(output_size(&output), 65536 - sent);
    s = hold("held", 1);
    say("error");
    complete(s, 1);
    heard = strlen(stand_hear(peer));
    while (!output_is_empty(&output)) {
        (void)loop_wait(&context->loop, 0);
        while (loop_next(&context->loop))
            ;
        ck_assert_int_eq(output_flush(&output, context, &transport), 0);
        heard += strlen(stand_hear(peer));
    }
    ck_assert_uint_eq(heard, 65536 + strlen("helderror"));
    ck_assert_uint_eq(counter_get(&context->counters.bytes_out), heard);
    ck_assert_uint_eq(context->budget.used, 0);
}
END_TEST

/* A failed record is reported after the output that the peer is slow to take. */
START_TEST(a_failure_waits_for_the_output_before_it)
{
    size_t heard = fill();
    struct slot *a = hold("one", 1), *b = hold("two", 1);
    int r;

    complete(a, 1);
    slot_complete(b, &context->loop, 1, -EPERM);
    ck_assert_int_eq(output_flush(&output, context, &transport), 0);
    ck_assert_uint_eq(output_size(&output), 65536 - heard + 6);
    heard = 0;
    do {
        heard += strlen(stand_hear(peer));
        (void)loop_wait(&context->loop, 0);
        while (loop_next(&context->loop))
            ;
        r = output_flush(&output, context, &transport);
    } while (r == 0);
    ck_assert_int_eq(r, -EPERM);
    ck_assert(output_is_empty(&output));
    heard += strlen(stand_hear(peer));
    ck_assert_uint_eq(heard, 65536 + 3);
}
END_TEST

START_TEST(progress_is_what_the_peer_took)
{
    uint64_t begin;
    char bytes[100];

    context_read_clock(context);
    begin = context_ms(context);
    (void)fill();
    ck_assert_uint_eq(output_progress_ms(&output), begin);
    hooks.now_us += 1000000;
    context_read_clock(context);
    ck_assert_uint_eq(output_stuck_since(&output, context, &transport), begin);
    /* The kernel does not report it. */
    while (recv(peer, bytes, sizeof bytes, 0) > 0 &&
           transport_in_flight(&transport) == output.last->next->in_flight)
        ;
    ck_assert_uint_eq(output_progress_ms(&output), begin);
    ck_assert_uint_eq(output_stuck_since(&output, context, &transport), begin + 1000);
    ck_assert_uint_eq(output_progress_ms(&output), begin + 1000);

    output_excuse(&output, context, 500);
    ck_assert_uint_eq(output_progress_ms(&output), begin + 1000); /* not beyond the current time */
    hooks.now_us += 1000000;
    context_read_clock(context);
    output_excuse(&output, context, 500);
    ck_assert_uint_eq(output_progress_ms(&output), begin + 1500);
    (void)output_abandon(&output, context);
    output_excuse(&output, context, 500);
}
END_TEST

/* While nothing was due, the peer could take nothing. */
START_TEST(progress_begins_when_something_is_due)
{
    static char large[65536];
    struct slot *s;
    int size = 8192;

    ck_assert_int_eq(setsockopt(transport.source.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    ck_assert_int_eq(output_hold(&output, context, &transport, large, sizeof large, 1, &s), 0);
    hooks.now_us += 5000000;
    context_read_clock(context);
    complete(s, 1);
    ck_assert_int_eq(output_flush(&output, context, &transport), 0);
    ck_assert_uint_eq(output_progress_ms(&output), context_ms(context));
}
END_TEST

/* From then on everything is dropped, and nothing is answered. */
START_TEST(output_after_its_end_is_dropped)
{
    struct slot *a = hold("one", 1), *b;

    b = hold("two", 1);
    transport_abandon_output(&transport);
    flush("");
    ck_assert(output_is_empty(&output));
    complete(a, 1);
    complete(b, 1);
    ck_assert(!transport.source.queued);
    ck_assert_ptr_null(hold("three", 1));
    say("four");
    ck_assert(output_is_empty(&output));
    ck_assert_str_eq(stand_hear(peer), "");
}
END_TEST

START_TEST(output_ends_when_the_peer_is_gone)
{
    peer = close_fd(peer);
    say("one");
    ck_assert(output_is_empty(&output));
    ck_assert_int_ne(transport.flags & TRANSPORT_OUT_ENDED, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("output");
    TCase *cases = tcase_create("output");

    tcase_add_checked_fixture(cases, output_stand_begin, output_stand_end);
    tcase_add_test(cases, sent_at_once);
    tcase_add_test(cases, held_until_its_record_is_made);
    tcase_add_loop_test(cases, in_order_whatever_is_completed_first, 0, 24);
    tcase_add_test(cases, an_error_behind_held_replies);
    tcase_add_test(cases, empty_replies_are_sent_in_order);
    tcase_add_test(cases, a_record_that_cannot_be_made);
    tcase_add_test(cases, abandon_returns_an_unreported_failure);
    tcase_add_test(cases, sends_as_much_as_the_kernel_takes);
    tcase_add_test(cases, a_failure_waits_for_the_output_before_it);
    tcase_add_test(cases, progress_is_what_the_peer_took);
    tcase_add_test(cases, progress_begins_when_something_is_due);
    tcase_add_test(cases, output_after_its_end_is_dropped);
    tcase_add_test(cases, output_ends_when_the_peer_is_gone);
    suite_add_tcase(suite, cases);
    return suite;
}
