/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alone.h"
#include "base/macros.h"
#include "runner.h"

/* Peers that go before their messages could be recorded. */

static void reset(int fd)
{
    struct linger now = { .l_onoff = 1 };

    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    (void)close(fd);
}

/* Nothing is left but the bytes that wait for their record. */
static void check_departed(int descriptors)
{
    ck_assert_int_eq(stand_descriptors(), descriptors);
    ck_assert_uint_eq(atomic_load(&stand.shared.n_connections), 0);
    ck_assert_uint_eq(atomic_load(&context->n_connections), 0);
}

static void check_reset_while_full(int a, int descriptors)
{
    struct worker *w = stand.workers[0];

    (void)stand_run(&stand);
    stand_say(a, "one\ntwo\nthr");
    (void)stand_run(&stand);
    ck_assert(stand_last(&stand, 0)->transport.owner_flags & CONNECTION_WAITING);
    reset(a);
    worker_turn(w);
    check_departed(descriptors);
    ck_assert_str_eq(stand_states(1), "");
    ck_assert_uint_eq(context->n_live, 1);
    ck_assert(!worker_is_done(w));
    sink->places = BATCH_RECORDS;
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(1), "FC");
    ck_assert_uint_eq(context->n_live, 0);
}

START_TEST(a_reset_while_there_is_no_room)
{
    int descriptors = stand_descriptors();

    sink->places = 0;
    check_reset_while_full(stand_connect_tcp(&stand, 0), descriptors);
    ck_assert_uint_eq(sink->taken, 2);
    ck_assert_str_eq(sink->records[1].text, "two");
    ck_assert_uint_eq(counter_get(&counters->discarded), 3);
    ck_assert_uint_eq(hooks.logged[EVENT_DISCARDED], 1);
}
END_TEST

/* A closed UNIX stream is complete, so its end also ends the last line. */
START_TEST(a_close_while_there_is_no_room)
{
    int descriptors = stand_descriptors();

    sink->places = 0;
    check_reset_while_full(stand_connect(&stand, 0), descriptors);
    ck_assert_uint_eq(sink->taken, 3);
    ck_assert_str_eq(sink->records[2].text, "thr");
    ck_assert_uint_eq(counter_get(&counters->discarded), 0);
}
END_TEST

/* The same if the line had been read before. */
START_TEST(a_close_ends_a_line_read_before)
{
    int a = stand_connect(&stand, 0);

    stand_say(a, "thr");
    (void)stand_run(&stand);
    sink->places = 0;
    (void)close(a);
    (void)stand_run(&stand);
    ck_assert_uint_eq(context->n_live, 1);
    sink->places = BATCH_RECORDS;
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->taken, 1);
    ck_assert_str_eq(sink->records[0].text, "thr");
    ck_assert_uint_eq(counter_get(&counters->discarded), 0);
}
END_TEST

/* There is nothing to record, so it need not wait. */
START_TEST(an_unfinished_message_does_not_wait)
{
    int a = stand_connect_tcp(&stand, 0), descriptors = stand_descriptors();

    sink->places = 0;
    stand_say(a, "unfinished");
    (void)stand_run(&stand);
    reset(a);
    (void)stand_run(&stand);
    check_departed(descriptors - 2);
    sink->places = BATCH_RECORDS;
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(1), "FC");
    ck_assert_uint_eq(counter_get(&counters->discarded), strlen("unfinished"));
    ck_assert_uint_eq(sink->taken, 0);
}
END_TEST

START_TEST(a_reset_keeps_a_waiting_chunk)
{
    int a, descriptors = stand_descriptors();

    stand.settings->rules.framing = FRAMING_CHUNK;
    a = stand_connect(&stand, 0);
    sink->places = 0;
    stand_say(a, "chunk");
    (void)stand_run(&stand);
    (void)close(a);
    worker_turn(stand.workers[0]);
    check_departed(descriptors);
    sink->places = BATCH_RECORDS;
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->taken, 1);
    ck_assert_str_eq(sink->records[0].text, "chunk");
    ck_assert_str_eq(stand_states(1), "FC");
}
END_TEST

/* Two reads must not become one message. Bytes after the first stay in the kernel. */
START_TEST(chunks_stay_apart)
{
    static char much[READ_SIZE + 1000 + 1];
    int a;

    memset(much, 'x', sizeof much - 1);
    stand.settings->rules.framing = FRAMING_CHUNK;
    stand.settings->rules.max_message = 4 * READ_SIZE;
    a = stand_connect(&stand, 0);
    sink->places = 0;
    stand_say(a, much);
    (void)stand_run(&stand);
    (void)close(a);
    (void)stand_run(&stand);
    ck_assert_uint_eq(atomic_load(&stand.shared.n_connections), 1);
    sink->places = BATCH_RECORDS;
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->taken, 2);
    ck_assert_uint_eq(counter_get(&counters->discarded), 0);
    ck_assert_str_eq(stand_states(1), "FC");
}
END_TEST

/* At an urgent mark the kernel counts 0 bytes, although more follow. */
START_TEST(chunks_stay_apart_at_an_urgent_mark)
{
    int a;

    stand.settings->rules.framing = FRAMING_CHUNK;
    a = stand_connect_tcp(&stand, 0);
    (void)stand_run(&stand);
    sink->places = 0;
    stand_say(a, "one");
    ck_assert_int_eq(send(a, "!", 1, MSG_OOB), 1);
    stand_say(a, "two");
    (void)stand_run(&stand);
    reset(a);
    (void)stand_run(&stand);
    sink->places = BATCH_RECORDS;
    (void)stand_run(&stand);
    ck_assert_uint_eq(sink->taken, 2);
    ck_assert_str_eq(sink->records[1].text, "two");
    ck_assert_str_eq(stand_states(1), "FC");
}
END_TEST

/* The memory limit also applies to waiting input. */
START_TEST(input_that_finds_no_memory_is_discarded)
{
    int a = stand_connect(&stand, 0), descriptors = stand_descriptors();

    sink->places = 0;
    stand_say(a, "one\ntwo\n");
    (void)stand_run(&stand);
    atomic_store(&stand.shared.memory_limit, 0);
    (void)close(a);
    (void)stand_run(&stand);
    check_departed(descriptors - 2);
    ck_assert_str_eq(stand_states(1), "C");
    ck_assert_uint_eq(counter_get(&counters->discarded), strlen("one\ntwo\n"));
    ck_assert_ptr_null(stand.workers[0]->journal.waiters.first);
}
END_TEST

/* In any state. */
START_TEST(close_all_ends_every_state)
{
    int open, held, waiting, finishing, lingering;

    stand.settings->rules.max_message = 10;
    open = stand_connect(&stand, 0);
    held = stand_connect(&stand, 0);
    finishing = stand_connect(&stand, 0);
    lingering = stand_connect(&stand, 0);
    waiting = stand_connect(&stand, 0);
    sink->later = true;
    stand_say(open, "unfi");
    stand_say(held, "held\n");
    stand_say(finishing, "finishing\n");
    stand_say(lingering, "this is too long\n");
    ck_assert_int_eq(shutdown(finishing, SHUT_WR), 0);
    (void)stand_run(&stand);
    sink->places = 2;
    stand_say(waiting, "waiting\n");
    (void)stand_run(&stand);
    ck_assert_str_eq(stand_states(1), "");
    ck_assert_str_eq(stand_states(2), "");
    ck_assert_str_eq(stand_states(3), "F");
    ck_assert_str_eq(stand_states(4), "FL");
    ck_assert(stand_last(&stand, 0)->transport.owner_flags & CONNECTION_WAITING);
    worker_close(stand.workers[0]);
    check_departed(stand.descriptors + 8); /* the clients' 5; loop, command and notification */
    ck_assert_str_eq(stand_states(1), "C");
    ck_assert_str_eq(stand_states(2), "C");
    ck_assert_str_eq(stand_states(3), "FC");
    ck_assert_str_eq(stand_states(4), "FLC");
    ck_assert_str_eq(stand_states(5), "C");
    ck_assert_str_eq(stand_hear(held), "$");
    worker_free(stand.workers[0]);
    stand.n = 0;
    (void)close(open);
    (void)close(held);
    (void)close(finishing);
    (void)close(lingering);
    (void)close(waiting);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("connection-resets");
    TCase *cases = tcase_create("connection-resets");

    tcase_add_checked_fixture(cases, alone_begin, alone_end);
    tcase_add_test(cases, a_reset_while_there_is_no_room);
    tcase_add_test(cases, a_close_while_there_is_no_room);
    tcase_add_test(cases, a_close_ends_a_line_read_before);
    tcase_add_test(cases, an_unfinished_message_does_not_wait);
    tcase_add_test(cases, a_reset_keeps_a_waiting_chunk);
    tcase_add_test(cases, chunks_stay_apart);
    tcase_add_test(cases, chunks_stay_apart_at_an_urgent_mark);
    tcase_add_test(cases, input_that_finds_no_memory_is_discarded);
    tcase_add_test(cases, close_all_ends_every_state);
    suite_add_tcase(suite, cases);
    return suite;
}
