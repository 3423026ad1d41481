/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "runner.h"
#include "serve/input.h"
#include "stand.h"

static struct stand stand;
static struct sink_fake *sink;
static struct context *context;
static struct transport transport;
static struct output output;
static struct input input;
static struct exchange exchange;
static int peer, error;

static void setup(void)
{
    int fds[2];

    stand_begin(&stand, 1);
    context = stand.contexts[0];
    sink = stand.sinks[0];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    transport_init(&transport, fds[0], SOURCE_CONNECTION, &(struct peer){ .is_unix = true });
    peer = fds[1];
    output = (struct output){ NULL };
    input = (struct input){ .session.number = 7 };
    exchange = (struct exchange){
        .context = context,
        .settings = stand.settings,
        .transport = &transport,
        .output = &output,
        .recorder = &stand.workers[0]->journal,
    };
}

static void teardown(void)
{
    input_end(&input, &exchange);
    (void)output_abandon(&output, context);
    loop_unqueue(&context->loop, &transport.source);
    transport_close(&transport, false);
    peer = close_fd(peer);
    stand_end(&stand);
}

static uint64_t discarded(void)
{
    return counter_get(&context->counters.discarded);
}

static void pass(uint64_t ms)
{
    hooks.now_us += ms * 1000;
    context_read_clock(context);
}

/* The peer says it, and it is taken; what is said of it. */
static enum session_status take(const char *text)
{
    if (*text)
        stand_say(peer, text);
    error = input_take(&input, &exchange);
    ck_assert_uint_eq(buffer_size(context->reply), 0);
    ck_assert_int_ge(error, 0);
    ck_assert_int_eq(error > 0, input.session.status == SESSION_FAILED);
    return (enum session_status)input.session.status;
}

static void collect(const char *text)
{
    stand_say(peer, text);
    ck_assert_int_eq(input_collect(&input, &exchange), 0);
}

/* Submits what was staged, and sends what may go. */
static void answer(const char *expected)
{
    recorder_commit(exchange.recorder);
    ck_assert_int_eq(output_flush(&output, context, &transport), 0);
    ck_assert_str_eq(stand_hear(peer), expected);
}

/* n lines of one byte. */
static const char *lines(size_t n)
{
    static char text[4096];

    for (size_t i = 0; i < n; i++)
        strcpy(text + 2 * i, "x\n");
    return text;
}

START_TEST(nothing_has_arrived)
{
    ck_assert_int_eq(input_take(&input, &exchange), -EAGAIN);
    ck_assert_int_eq(input_collect(&input, &exchange), -EAGAIN);
    ck_assert_int_eq(input_discard(&input, &exchange), -EAGAIN);
    ck_assert(!input_is_pending(&input));
    ck_assert(!input_is_unfinished(&input));
}
END_TEST

START_TEST(whole_messages)
{
    ck_assert_int_eq(take("one\ntwo\n"), SESSION_HUNGRY);
    ck_assert_ptr_null(input.bytes);
    ck_assert_uint_eq(sink->staged, 2);
    ck_assert_uint_eq(sink->records[1].connection, 7);
    ck_assert_uint_eq(sink->records[1].seq, 2);
    /* Both wait in one slot. */
    ck_assert_uint_eq(output.last->waits, 2);
    ck_assert_ptr_eq(output.last->next, output.last);
    answer("one\ntwo\n");
    ck_assert_uint_eq(counter_get(&context->counters.messages), 2);
    ck_assert_uint_eq(counter_get(&context->counters.bytes_in), 8);
}
END_TEST

START_TEST(an_unfinished_message)
{
    uint64_t begin;

    pass(0);
    begin = context_ms(context);
    ck_assert_int_eq(take("one\nun"), SESSION_HUNGRY);
    ck_assert(input_is_unfinished(&input));
    ck_assert(!input_is_pending(&input));
    ck_assert_uint_eq(input.bytes->stamp, begin);
    answer("one\n");
    pass(100);
    ck_assert_int_eq(take("finish"), SESSION_HUNGRY);
    ck_assert_uint_eq(input.bytes->stamp, begin);
    ck_assert_uint_eq(input.bytes->scanned, strlen("unfinish"));
    pass(100);
    ck_assert_int_eq(take("ed\nnext"), SESSION_HUNGRY);
    ck_assert_uint_eq(input.bytes->stamp, begin + 200);
    ck_assert_uint_eq(buffer_size(input.bytes), 4);
    answer("unfinished\n");
    ck_assert_int_eq(take("\n"), SESSION_HUNGRY);
    ck_assert_ptr_null(input.bytes);
    ck_assert_uint_eq(context->budget.used, sizeof(struct slot) + output.last->capacity);
    answer("next\n");
    ck_assert_uint_eq(discarded(), 0);
}
END_TEST

START_TEST(excused)
{
    uint64_t begin;

    input_excuse(&input, context, 5);
    pass(0);
    begin = context_ms(context);
    (void)take("un");
    pass(100);
    input_excuse(&input, context, 40);
    ck_assert_uint_eq(input.bytes->stamp, begin + 40);
    input_excuse(&input, context, 1000);
    ck_assert_uint_eq(input.bytes->stamp, begin + 100);
}
END_TEST

START_TEST(so_many_records_at_once)
{
    ck_assert_int_eq(take(lines(150)), SESSION_STOPPED);
    ck_assert_uint_eq(sink->staged, 64);
    ck_assert(input_is_pending(&input));
    ck_assert(!input_is_unfinished(&input));
    ck_assert_int_eq(take(""), SESSION_STOPPED);
    ck_assert_uint_eq(sink->staged, 128);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 150);
    ck_assert(!input_is_pending(&input));
    answer(lines(150));
}
END_TEST

START_TEST(so_many_messages_at_once)
{
    exchange.recorder = NULL;
    ck_assert_int_eq(take(lines(1500)), SESSION_STOPPED);
    ck_assert_uint_eq(input.session.seq, 1024);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(input.session.seq, 1500);
    ck_assert(output_is_empty(&output));
    ck_assert_uint_eq(strlen(stand_hear(peer)), 3000);
}
END_TEST

/* The message for which there is no room stays, and its reply is not given. */
START_TEST(no_room_in_the_middle)
{
    sink->places = 2;
    ck_assert_int_eq(take("one\ntwo\nthree\nfour\n"), SESSION_STOPPED);
    ck_assert_uint_eq(sink->staged, 2);
    ck_assert(input_is_pending(&input));
    ck_assert_int_eq(take(""), SESSION_STOPPED);
    ck_assert_uint_eq(sink->staged, 2);
    answer("one\ntwo\n");
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    answer("three\nfour\n");
    ck_assert_uint_eq(sink->records[3].seq, 4);
}
END_TEST

START_TEST(no_more_than_may_be_owed)
{
    stand.settings->output_limit = 10;
    ck_assert_int_eq(take("12345\n12345\n12345\n"), SESSION_STOPPED);
    ck_assert_uint_eq(output_size(&output), 12);
    ck_assert_int_eq(take(""), SESSION_STOPPED);
    ck_assert_uint_eq(output_size(&output), 12);
    answer("12345\n12345\n");
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    answer("12345\n");
}
END_TEST

START_TEST(above_the_rate)
{
    stand.settings->rules.message_cost_ns = 500 * 1000 * 1000;
    pass(0);
    ck_assert_int_eq(take("1\n2\n3\n"), SESSION_LIMITED);
    ck_assert(input_is_pending(&input));
    answer("1\n2\n");
    pass(500);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    answer("3\n");
}
END_TEST

/* First the replies that wait for their records, then the error; nothing after it is kept. */
START_TEST(an_error_behind_its_messages)
{
    stand.settings->rules.max_message = 5;
    ck_assert_int_eq(take("one\ntwo\nmuch too long\nmore\n"), SESSION_FAILED);
    ck_assert_ptr_null(input.bytes);
    ck_assert_uint_eq(discarded(), strlen("much too long\nmore\n"));
    ck_assert_int_eq(error, FRAME_TOO_LONG);
    ck_assert_str_eq(stand_hear(peer), "");
    answer("one\ntwo\n");
}
END_TEST

START_TEST(an_error_in_what_was_kept)
{
    stand.settings->rules.max_message = 5;
    ck_assert_int_eq(take("muc"), SESSION_HUNGRY);
    ck_assert_int_eq(take("h too long\n"), SESSION_FAILED);
    ck_assert_ptr_null(input.bytes);
    ck_assert_uint_eq(discarded(), strlen("much too long\n"));
    ck_assert_int_eq(error, FRAME_TOO_LONG);
}
END_TEST

START_TEST(the_end_of_the_stream)
{
    stand_say(peer, "one\ntwo");
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 1);
    ck_assert_int_eq(take(""), SESSION_ENDED);
    ck_assert_uint_eq(sink->staged, 2);
    ck_assert_str_eq(sink->records[1].text, "two");
    ck_assert_ptr_null(input.bytes);
    ck_assert_int_ne(transport.flags & TRANSPORT_IN_ENDED, 0);
    answer("one\ntwo\n");
}
END_TEST

/* What was cut off in the middle is no message. */
START_TEST(a_cut_stream)
{
    ck_assert_int_eq(take("one\ntwo"), SESSION_HUNGRY);
    transport.flags |= TRANSPORT_IN_CUT;
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 1);
    ck_assert(input_is_unfinished(&input));
    input_end(&input, &exchange);
    ck_assert_uint_eq(discarded(), 3);
}
END_TEST

/* The reply to a message does not depend on the record of a large one that came with it. */
START_TEST(a_large_one_has_a_slot_for_itself)
{
    static char both[6000];

    memset(both, 'x', sizeof both - 1);
    memcpy(both, "one\n", 4);
    both[sizeof both - 2] = '\n';
    sink->failing = 2;
    ck_assert_int_eq(take(both), SESSION_STOPPED);
    ck_assert_uint_eq(sink->staged, 1);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 2);
    recorder_commit(exchange.recorder);
    ck_assert_int_lt(output_flush(&output, context, &transport), 0);
    ck_assert_str_eq(stand_hear(peer), "one\n");
}
END_TEST

START_TEST(one_read_is_one_chunk)
{
    stand.settings->rules.framing = FRAMING_CHUNK;
    stand.settings->rules.max_message = 8;
    ck_assert_int_eq(settings_prepare(stand.settings), 0);
    ck_assert_int_eq(take("one\ntwo"), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 1);
    ck_assert_str_eq(sink->records[0].text, "one\ntwo");
    answer("one\ntwo");
    ck_assert_int_eq(take("12345678"), SESSION_HUNGRY);
    answer("12345678");
    /* One byte more says that it is too long; more is not even read. */
    ck_assert_int_eq(take("123456789abc"), SESSION_FAILED);
    ck_assert_uint_eq(discarded(), 9);
    ck_assert_int_eq(error, FRAME_TOO_LONG);
}
END_TEST

/* No more is kept of what a peer asks than of what it is told. */
START_TEST(no_more_is_read_than_may_be_owed)
{
    static char much[10000];

    memset(much, 'x', sizeof much - 1);
    stand.settings->output_limit = 10;
    ck_assert_int_eq(settings_prepare(stand.settings), 0);
    ck_assert_int_eq(take(much), SESSION_HUNGRY);
    ck_assert_uint_eq(buffer_size(input.bytes), 4096);
}
END_TEST

START_TEST(collected_for_later)
{
    collect("one\ntw");
    ck_assert(input_is_pending(&input));
    ck_assert_uint_eq(sink->staged, 0);
    collect("o\nthr");
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 2);
    ck_assert(input_is_unfinished(&input));
    /* More of what is unfinished. */
    collect("ee\n");
    ck_assert(input_is_pending(&input));
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    answer("one\ntwo\nthree\n");
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    ck_assert_int_eq(input_collect(&input, &exchange), 0);
    ck_assert(!input_is_pending(&input));
    ck_assert_int_ne(transport.flags & TRANSPORT_IN_ENDED, 0);
}
END_TEST

/* A limit that holds it back goes on doing so. */
START_TEST(collected_above_the_rate)
{
    stand.settings->rules.message_cost_ns = UINT64_C(1000) * 1000 * 1000;
    pass(0);
    ck_assert_int_eq(take("1\n2\n"), SESSION_LIMITED);
    collect("3\n");
    ck_assert_int_eq(input.session.status, SESSION_LIMITED);
    pass(1000);
    ck_assert_int_eq(take(""), SESSION_LIMITED);
    pass(1000);
    ck_assert_int_eq(take(""), SESSION_HUNGRY);
    ck_assert_uint_eq(sink->staged, 3);
}
END_TEST

START_TEST(thrown_away)
{
    (void)take("unfi");
    stand_say(peer, "nished\n");
    input_drop(&input, &exchange, "a test wants it so");
    ck_assert_uint_eq(discarded(), strlen("unfi"));
    ck_assert_int_eq(input_discard(&input, &exchange), 0);
    ck_assert_uint_eq(discarded(), strlen("unfinished\n"));
    ck_assert_ptr_null(input.bytes);
    ck_assert_uint_eq(sink->staged, 0);
    ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
    ck_assert_int_eq(input_discard(&input, &exchange), 0);
    ck_assert_int_ne(transport.flags & TRANSPORT_IN_ENDED, 0);
}
END_TEST

/* The scratch space of a worker that made a large reply is small again. */
START_TEST(a_large_reply)
{
    static char piece[100001];

    exchange.recorder = _i == 0 ? exchange.recorder : NULL;
    stand.settings->rules.max_message = 1 << 20;
    memset(piece, 'x', sizeof piece - 1);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(take(piece), SESSION_HUNGRY);
    ck_assert_int_eq(take("\n"), SESSION_HUNGRY);
    ck_assert_uint_eq(counter_get(&context->counters.messages), 1);
    ck_assert(!context->reply || context->reply->capacity <= 512 * 1024);
}
END_TEST

START_TEST(no_memory)
{
    atomic_store(&stand.shared.memory_limit, 2);
    stand_say(peer, "unfi");
    ck_assert_int_eq(input_take(&input, &exchange), -ENOMEM);
    ck_assert_ptr_null(input.bytes);
    stand_say(peer, "nished\n");
    ck_assert_int_eq(input_collect(&input, &exchange), 0);
    ck_assert_uint_eq(buffer_size(input.bytes), 1); /* half of what there is */
    ck_assert_uint_eq(discarded(), 4 + 6);
    ck_assert_int_ne(transport.flags & TRANSPORT_IN_CUT, 0);
}
END_TEST

/* What was recorded is not counted as discarded, and what was not is, once. */
START_TEST(no_memory_for_a_reply_to_what_was_kept)
{
    (void)take("one\ntw");
    answer("one\n");
    (void)take("o\nthr");
    atomic_store(&stand.shared.memory_limit, context->budget.used + 3);
    stand_say(peer, "ee\n");
    ck_assert_int_eq(input_take(&input, &exchange), -ENOMEM);
    ck_assert_uint_eq(sink->staged, 3);
    input_end(&input, &exchange);
    ck_assert_uint_eq(discarded(), 0);
    recorder_commit(exchange.recorder);
}
END_TEST

/* Its reply cannot be held: it is recorded all the same, and nobody is answered. */
START_TEST(no_memory_for_the_reply)
{
    atomic_store(&stand.shared.memory_limit, 2);
    stand_say(peer, "one\n");
    ck_assert_int_eq(input_take(&input, &exchange), -ENOMEM);
    ck_assert_uint_eq(sink->staged, 1);
    recorder_commit(exchange.recorder);
    ck_assert(recorder_is_done(exchange.recorder));
    ck_assert(!transport.source.queued);
    ck_assert_str_eq(stand_hear(peer), "");
}
END_TEST

/* The same messages, cut at every place. */
START_TEST(cut_anywhere)
{
    static const char stream[] = "one\ntwo\r\n\nfour\n";
    char heard[64];

    for (size_t cut = 1; cut < sizeof stream - 1; cut++) {
        char head[32] = "";

        memcpy(head, stream, cut);
        (void)take(head);
        (void)take(stream + cut);
        recorder_commit(exchange.recorder);
        ck_assert_int_eq(output_flush(&output, context, &transport), 0);
        (void)snprintf(heard, sizeof heard, "%s", stand_hear(peer));
        ck_assert_str_eq(heard, stream);
        ck_assert_ptr_null(input.bytes);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("input");
    TCase *cases = tcase_create("input");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, nothing_has_arrived);
    tcase_add_test(cases, whole_messages);
    tcase_add_test(cases, an_unfinished_message);
    tcase_add_test(cases, excused);
    tcase_add_test(cases, so_many_records_at_once);
    tcase_add_test(cases, so_many_messages_at_once);
    tcase_add_test(cases, no_room_in_the_middle);
    tcase_add_test(cases, no_more_than_may_be_owed);
    tcase_add_test(cases, above_the_rate);
    tcase_add_test(cases, an_error_behind_its_messages);
    tcase_add_test(cases, an_error_in_what_was_kept);
    tcase_add_test(cases, the_end_of_the_stream);
    tcase_add_test(cases, a_cut_stream);
    tcase_add_test(cases, a_large_one_has_a_slot_for_itself);
    tcase_add_test(cases, one_read_is_one_chunk);
    tcase_add_test(cases, no_more_is_read_than_may_be_owed);
    tcase_add_test(cases, collected_for_later);
    tcase_add_test(cases, collected_above_the_rate);
    tcase_add_test(cases, thrown_away);
    tcase_add_loop_test(cases, a_large_reply, 0, 2);
    tcase_add_test(cases, no_memory);
    tcase_add_test(cases, no_memory_for_a_reply_to_what_was_kept);
    tcase_add_test(cases, no_memory_for_the_reply);
    tcase_add_test(cases, cut_anywhere);
    suite_add_tcase(suite, cases);
    return suite;
}
