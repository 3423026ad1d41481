/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every allocation fails once. */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/macros.h"
#include "hooks.h"
#include "net/address.h"
#include "protocol/session.h"
#include "record/entry.h"
#include "record/sink.h"
#include "runner.h"

static struct template *compile(const char *text)
{
    struct template *t;
    const char *error;
    size_t offset;

    ck_assert_int_eq(template_compile(text, &t, &error, &offset), 0);
    return t;
}

START_TEST(templates_survive_failed_allocations)
{
    struct template *t = NULL;
    const char *error;
    size_t offset;
    unsigned n;

    for (n = 1;; n++) {
        int r;

        hooks_fail_allocation(n);
        r = template_compile("{id} {seq}\\n{message}", &t, &error, &offset);
        if (!hooks_allocation_failed())
            break;
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert_ptr_null(t);
    }
    ck_assert_uint_ge(n, 5);
    template_free(t);
}
END_TEST

START_TEST(frames_survive_failed_allocations)
{
    static const char message[300] = "message";

    for (int framing = FRAMING_LINE; framing <= FRAMING_CHUNK; framing++)
        for (size_t size = 0; size < sizeof message; size++)
            for (unsigned n = 1;; n++) {
                _cleanup_(buffer_free) struct buffer *out = NULL;
                int r;

                /* Full, so that each step has to make room. */
                ck_assert_int_eq(buffer_append(&out, message, 64), 0);
                hooks_fail_allocation(n);
                r = frame_append((enum framing)framing, &out, message, size, true);
                if (!hooks_allocation_failed())
                    break;
                if (r != -ENOMEM || buffer_size(out) != 64)
                    ck_abort_msg("%s, %zu bytes, allocation %u: %d",
                                 framing_name((enum framing)framing), size, n, r);
            }
}
END_TEST

static int take(void *userdata, const struct record *record)
{
    return entry_record(userdata, record);
}

/* A message without memory for it is not taken. It is answered like any other once there is
 * memory. */
START_TEST(sessions_survive_failed_allocations)
{
    static const struct {
        enum framing framing;
        const char *bytes;
        size_t size;
    } streams[] = {
        { FRAMING_LINE, "one\ntwo\n\nfour\n", 14 },
        { FRAMING_LENGTH, "\0\0\0\3one\0\0\0\3two\0\0\0\0\0\0\0\4four", 26 },
    };
    const uint8_t *stream = (const uint8_t *)streams[_i].bytes;
    struct template *reply =
        compile("{peer}{listener} {time} {id} {seq} {message} and some more text");
    const struct session_rules rules = { .framing = streams[_i].framing,
                                         .reply = reply,
                                         .max_message = 99 };
    _cleanup_(buffer_free) struct buffer *expected = NULL;

    for (unsigned n = 0;; n++) {
        _cleanup_(buffer_free) struct buffer *replies = NULL, *records = NULL;
        struct session session = { .number = 1 };
        const struct session_feed feed = {
            .rules = &rules,
            .run_id = "run",
            .peer = "peer",
            .peer_port = "1",
            .peer_name = "peer:1",
            .listener = "listener",
            .reply = &replies,
            .reply_limit = SIZE_MAX,
            .message_limit = SIZE_MAX,
            .record = take,
            .userdata = &records,
        };
        size_t scanned = 0, used = 0, all = 0;
        enum session_status status;
        enum frame_error error;
        bool kept = true, was_failed; /* Check allocates too, so it is asked only when allocation
                                         works */

        hooks_fail_allocation(n);
        do {
            size_t seq = session.seq, size = buffer_size(replies);

            status = session_feed(&session, &feed, stream + all, streams[_i].size - all, true,
                                  &scanned, &used, &error);
            all += used;
            kept = kept && session.seq >= seq && buffer_size(replies) >= size;
        } while (status == SESSION_NOMEM);
        was_failed = hooks_allocation_failed();
        ck_assert(kept);
        ck_assert_int_eq(status, SESSION_ENDED);
        ck_assert_uint_eq(session.seq, 4);
        if (n == 0)
            expected = STEAL_PTR(replies);
        else
            ck_assert(buffer_size(replies) == buffer_size(expected) &&
                      memcmp(buffer_head(replies), buffer_head(expected), buffer_size(expected)) ==
                          0);
        if (n > 0 && !was_failed)
            break;
    }
    template_free(reply);
}
END_TEST

START_TEST(prepared_replies_survive_failed_allocations)
{
    struct template *reply = compile("ok");
    unsigned n;

    for (n = 1;; n++) {
        struct session_rules rules = { .framing = FRAMING_NETSTRING, .reply = reply };
        int r;

        hooks_fail_allocation(n);
        r = session_rules_prepare(&rules);
        if (!hooks_allocation_failed()) {
            session_rules_release(&rules);
            break;
        }
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert(!rules.ready && !rules.ready_crlf);
    }
    ck_assert_uint_ge(n, 3);
    template_free(reply);
}
END_TEST

/* Without memory for the error text, the peer's mistake is still reported. */
START_TEST(session_errors_survive_failed_allocations)
{
    struct template *reply = compile("ok");
    const struct session_rules rules = { .framing = FRAMING_LINE,
                                         .reply = reply,
                                         .max_message = 1 };
    struct buffer *replies = NULL;
    struct session session = { 0 };
    const struct session_feed feed = {
        .rules = &rules, .reply = &replies, .reply_limit = 9, .message_limit = 9
    };
    size_t scanned = 0, used;
    enum frame_error error;

    ck_assert_int_eq(
        session_feed(&session, &feed, (const uint8_t *)"abc", 3, false, &scanned, &used, &error),
        SESSION_FAILED);
    ck_assert_int_eq(error, FRAME_TOO_LONG);
    hooks_fail_allocation(1);
    ck_assert_int_eq(session_append_error(&rules, frame_error_text(error), &replies), -ENOMEM);
    ck_assert(hooks_allocation_failed());
    ck_assert_uint_eq(buffer_size(replies), 0);
    buffer_free(&replies);
    template_free(reply);
}
END_TEST

START_TEST(entries_survive_failed_allocations)
{
    static const char message[2000] = "message";
    const struct record record = {
        .data = (const uint8_t *)message,
        .size = sizeof message,
        .id = "id",
        .peer = "peer",
        .peer_port = "1",
        .peer_name = "peer:1",
        .listener = "listener",
    };
    /* With many fill levels, so that each step has to make room once. */
    for (size_t filled = 0; filled < 4096; filled += 7)
        for (unsigned n = 1;; n++) {
            _cleanup_(buffer_free) struct buffer *out = NULL;
            int r;

            ck_assert_int_eq(buffer_reserve(&out, 4096), 0);
            buffer_commit(out, filled);
            hooks_fail_allocation(n);
            r = entry_record(&out, &record);
            if (!hooks_allocation_failed())
                break;
            ck_assert_int_eq(r, -ENOMEM);
        }
}
END_TEST

START_TEST(fields_survive_failed_allocations)
{
    struct buffer *out = NULL;

    hooks_fail_allocation(1);
    ck_assert_int_eq(entry_field(&out, "NAME", "value", 5), -ENOMEM);
    ck_assert(hooks_allocation_failed());
    ck_assert_ptr_null(out);
    hooks_fail_allocation(1);
    ck_assert_int_eq(entry_begin(&out, EVENT_MESSAGE), -ENOMEM);
    ck_assert(hooks_allocation_failed());
    ck_assert_ptr_null(out);
}
END_TEST

/* A record without memory for it leaves nothing in the batch. */
static void check_sink(struct sink *(*make)(void))
{
    const struct record record = {
        .data = (const uint8_t *)"x",
        .size = 1,
        .id = "id",
        .peer = "peer",
        .peer_port = "1",
        .peer_name = "peer:1",
        .listener = "listener",
    };
    unsigned n;

    hooks_fail_allocation(1);
    ck_assert_ptr_null(make());
    ck_assert(hooks_allocation_failed());
    for (n = 1;; n++) {
        struct sink *sink = make();
        size_t room;
        int r;

        ck_assert_ptr_nonnull(sink);
        room = sink_room(sink);
        hooks_fail_allocation(n);
        r = sink_stage(sink, &record);
        if (!hooks_allocation_failed()) {
            sink_free(sink);
            break;
        }
        ck_assert_int_eq(r, -ENOMEM);
        ck_assert_uint_eq(sink->n_waiting, 0);
        ck_assert_uint_eq(sink_room(sink), room);
        ck_assert_int_eq(sink_stage(sink, &record), 0);
        ck_assert_uint_eq(sink->n_waiting, 1);
        sink_free(sink);
    }
    ck_assert_uint_ge(n, 2);
}

static struct sink *make_journal(void)
{
    return sink_journal_new("/nonexistent");
}

START_TEST(sinks_survive_failed_allocations)
{
    check_sink(sink_stderr_new);
    check_sink(make_journal);
}
END_TEST

START_TEST(addresses_survive_failed_allocations)
{
    struct sockaddr_any *all = NULL;
    struct address address;
    const char *error;

    ck_assert_int_eq(address_parse("/run/a", &address, &error), 0);
    hooks_fail_allocation(1);
    ck_assert_int_eq(address_resolve(&address, AF_UNSPEC, true, &all, &error), -ENOMEM);
    ck_assert(hooks_allocation_failed());
    ck_assert_ptr_null(all);
    ck_assert_int_eq(address_parse("127.0.0.1:1", &address, &error), 0);
    hooks_fail_allocation(1);
    ck_assert_int_eq(address_resolve(&address, AF_UNSPEC, true, &all, &error), -ENOMEM);
    ck_assert(hooks_allocation_failed());
    ck_assert_ptr_null(all);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *cases = tcase_create("memory");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, templates_survive_failed_allocations);
    tcase_add_test(cases, frames_survive_failed_allocations);
    tcase_add_loop_test(cases, sessions_survive_failed_allocations, 0, 2);
    tcase_add_test(cases, prepared_replies_survive_failed_allocations);
    tcase_add_test(cases, session_errors_survive_failed_allocations);
    tcase_add_test(cases, entries_survive_failed_allocations);
    tcase_add_test(cases, fields_survive_failed_allocations);
    tcase_add_test(cases, sinks_survive_failed_allocations);
    tcase_add_test(cases, addresses_survive_failed_allocations);
    suite_add_tcase(suite, cases);
    return suite;
}
