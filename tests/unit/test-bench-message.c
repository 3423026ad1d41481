/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ask-bench/message.h"
#include "runner.h"

#define MOST 5

/* From wherever the cycle is begun, what follows in memory is the messages that follow in it. */
static void check_cycle(const struct message *m, enum framing framing)
{
    ck_assert_uint_eq(buffer_size(m->bytes), (m->cycle + MOST) * m->frame_size);
    for (uint32_t i = 0; i < m->cycle + MOST; i++) {
        const uint8_t *at = m->bytes->data + m->bytes->start + i * m->frame_size;
        size_t scanned = 0;
        struct frame frame;

        ck_assert_int_eq(
            frame_next(framing, MESSAGE_SIZE_MAX, at, m->frame_size, false, &scanned, &frame),
            (int)m->frame_size);
        ck_assert_uint_eq(frame.size, m->size);
        ck_assert_mem_eq(frame.data, message_payload(m, i % m->cycle), m->size);
    }
}

START_TEST(every_framing)
{
    static const size_t sizes[] = { 1, 2, 16, 1000, 70000 };
    struct message m;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ck_assert_int_eq(message_init(&m, (enum framing)_i, NULL, sizes[i], MOST), 0);
        ck_assert_uint_eq(m.size, sizes[i]);
        check_cycle(&m, (enum framing)_i);
        message_deinit(&m);
    }
}
END_TEST

START_TEST(an_empty_message)
{
    struct message m;

    ck_assert_int_eq(message_init(&m, FRAMING_LINE, NULL, 0, MOST), 0);
    ck_assert_uint_eq(m.frame_size, 1);
    check_cycle(&m, FRAMING_LINE);
    message_deinit(&m);
}
END_TEST

START_TEST(a_text_is_every_message)
{
    struct message m;

    ck_assert_int_eq(message_init(&m, FRAMING_NETSTRING, "PING", 0, MOST), 0);
    ck_assert_uint_eq(m.cycle, 1);
    ck_assert_mem_eq(m.bytes->data + m.bytes->start, "4:PING,4:PING,", 14);
    check_cycle(&m, FRAMING_NETSTRING);
    message_deinit(&m);
}
END_TEST

/* A reply that belongs to another message can be told. */
START_TEST(neighbours_differ)
{
    struct message m;

    ck_assert_int_eq(message_init(&m, FRAMING_LINE, NULL, 16, MOST), 0);
    ck_assert_uint_gt(m.cycle, 1);
    for (uint32_t i = 0; i < m.cycle; i++)
        for (uint32_t j = 0; j < i; j++)
            ck_assert_mem_ne(message_payload(&m, i), message_payload(&m, j), 16);
    message_deinit(&m);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("bench-message");
    TCase *cases = tcase_create("bench-message");

    tcase_add_loop_test(cases, every_framing, FRAMING_LINE, FRAMING_CHUNK + 1);
    tcase_add_test(cases, an_empty_message);
    tcase_add_test(cases, a_text_is_every_message);
    tcase_add_test(cases, neighbours_differ);
    suite_add_tcase(suite, cases);
    return suite;
}
