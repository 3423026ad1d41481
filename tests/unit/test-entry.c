/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "decoder.h"
#include "random.h"
#include "record/entry.h"
#include "runner.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static struct record record_of(const uint8_t *data, size_t size)
{
    return (struct record){
        .data = data,
        .size = size,
        .id = "run-3-9",
        .peer = "192.0.2.1",
        .peer_port = "40000",
        .peer_name = "192.0.2.1:40000",
        .listener = "web",
        .connection = 3,
        .seq = 9,
    };
}

static struct buffer *encode(const struct record *record, struct decoded *ret)
{
    struct buffer *out = NULL;

    ck_assert_int_eq(entry_record(&out, record), 0);
    ck_assert(decode(buffer_head(out), buffer_size(out), ret));
    return out;
}

START_TEST(every_field)
{
    const struct record record = record_of(BYTES("hello"));
    struct decoded d;
    _cleanup_(buffer_free) _unused_ struct buffer *out = encode(&record, &d);

    ck_assert_uint_eq(d.n_fields, 11);
    ck_assert(decoded_is_text(&d, "SYSLOG_IDENTIFIER", "answerd"));
    ck_assert(decoded_is_text(&d, "PRIORITY", "6"));
    ck_assert(decoded_is_text(&d, "MESSAGE_ID", "bb76528fac9d4b059a11d46c1196ef46"));
    ck_assert(decoded_is_text(&d, "MESSAGE", "192.0.2.1:40000: hello"));
    ck_assert(decoded_is_text(&d, "ANSWERD_ID", "run-3-9"));
    ck_assert(decoded_is_text(&d, "ANSWERD_DATA", "hello"));
    ck_assert(decoded_is_text(&d, "ANSWERD_PEER", "192.0.2.1"));
    ck_assert(decoded_is_text(&d, "ANSWERD_PEER_PORT", "40000"));
    ck_assert(decoded_is_text(&d, "ANSWERD_CONNECTION", "3"));
    ck_assert(decoded_is_text(&d, "ANSWERD_SEQ", "9"));
    ck_assert(decoded_is_text(&d, "ANSWERD_LISTENER", "web"));
}
END_TEST

START_TEST(unix_peers_have_no_port)
{
    struct record record = record_of(BYTES(""));
    struct decoded d;

    record.peer = record.peer_name = "pid=1,uid=0";
    record.peer_port = "";
    _cleanup_(buffer_free) _unused_ struct buffer *out = encode(&record, &d);
    ck_assert_uint_eq(d.n_fields, 10);
    ck_assert_ptr_null(decoded_find(&d, "ANSWERD_PEER_PORT"));
    ck_assert(decoded_is_text(&d, "MESSAGE", "pid=1,uid=0: "));
    ck_assert(decoded_is(&d, "ANSWERD_DATA", "", 0));
}
END_TEST

START_TEST(where_a_connection_comes_from)
{
    const struct record_origin origin = { .identity = "meter-17",
                                          .proxy = "10.0.0.5",
                                          .proxy_id = "" };
    struct record record = record_of(BYTES("hello"));
    struct decoded d;

    record.origin = &origin;
    _cleanup_(buffer_free) _unused_ struct buffer *out = encode(&record, &d);
    ck_assert_uint_eq(d.n_fields, 13);
    ck_assert(decoded_is_text(&d, "ANSWERD_IDENTITY", "meter-17"));
    ck_assert(decoded_is_text(&d, "ANSWERD_PROXY", "10.0.0.5"));
    ck_assert(decoded_is_text(&d, "ANSWERD_DATA", "hello"));
}
END_TEST

START_TEST(an_unfinished_message_says_so)
{
    struct record record = record_of(BYTES("hel"));
    struct decoded d;

    record.unfinished = true;
    _cleanup_(buffer_free) _unused_ struct buffer *out = encode(&record, &d);
    ck_assert_uint_eq(d.n_fields, 12);
    ck_assert(decoded_is_text(&d, "ANSWERD_UNFINISHED", "1"));
    ck_assert(decoded_is_text(&d, "ANSWERD_DATA", "hel"));
}
END_TEST

START_TEST(no_byte_can_begin_a_field)
{
    static const struct {
        const uint8_t *data;
        size_t size;
        const char *text;
    } messages[] = {
        { BYTES("x\nPRIORITY=0"), "x\\nPRIORITY=0" },
        { BYTES("x\nPRIORITY=0\n\nMESSAGE=y\n"), "x\\nPRIORITY=0\\n\\nMESSAGE=y\\n" },
        { BYTES("\nPRIORITY\n\1\0\0\0\0\0\0\0000\n"),
          "\\nPRIORITY\\n\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x000\\n" },
        { BYTES("\n"), "\\n" },
        { BYTES("a\0b"), "a\\x00b" },
        { BYTES("\xff\xfe\x1b[31m\xc2\x9b"), "\\xff\\xfe\\x1b[31m\\xc2\\x9b" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        const struct record record = record_of(messages[i].data, messages[i].size);
        struct decoded d;
        _cleanup_(buffer_free) _unused_ struct buffer *out = encode(&record, &d);
        char expected[100] = "192.0.2.1:40000: ";

        ck_assert_uint_eq(d.n_fields, 11);
        ck_assert(decoded_is_text(&d, "PRIORITY", "6"));
        ck_assert(decoded_is(&d, "ANSWERD_DATA", messages[i].data, messages[i].size));
        strcat(expected, messages[i].text);
        ck_assert(decoded_is_text(&d, "MESSAGE", expected));
    }
}
END_TEST

START_TEST(long_messages_are_cut_for_reading_only)
{
    enum { N = 1 << 20 };
    uint8_t *data = malloc(N);
    uint64_t random = 5;
    struct record record = record_of(data, N);
    const struct decoded_field *message;
    struct decoded d;

    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < N; i++)
        data[i] = (uint8_t)random_next(&random);
    _cleanup_(buffer_free) _unused_ struct buffer *out = encode(&record, &d);
    ck_assert(decoded_is(&d, "ANSWERD_DATA", data, N));
    message = decoded_find(&d, "MESSAGE");
    ck_assert_ptr_nonnull(message);
    ck_assert_uint_le(message->size, strlen("192.0.2.1:40000: ") + ENTRY_TEXT_MAX);
    ck_assert(memcmp(message->data + message->size - 3, "…", 3) == 0);
    free(data);
}
END_TEST

START_TEST(appends_to_what_is_there)
{
    const struct record record = record_of(BYTES("hello"));
    _cleanup_(buffer_free) struct buffer *out = NULL;
    size_t size;

    ck_assert_int_eq(entry_record(&out, &record), 0);
    size = buffer_size(out);
    ck_assert_int_eq(entry_record(&out, &record), 0);
    ck_assert_uint_eq(buffer_size(out), 2 * size);
    ck_assert_mem_eq(buffer_head(out), buffer_head(out) + size, size);
}
END_TEST

START_TEST(every_event_has_its_own_id)
{
    char ids[EVENT_COUNT][33];

    for (int event = 0; event < EVENT_COUNT; event++) {
        _cleanup_(buffer_free) struct buffer *out = NULL;
        const struct decoded_field *id, *priority;
        struct decoded d;

        ck_assert_int_eq(entry_begin(&out, (enum event)event), 0);
        ck_assert_int_eq(entry_field(&out, "A_NUMBER_1", "\0\n", 2), 0);
        ck_assert(decode(buffer_head(out), buffer_size(out), &d));
        ck_assert_uint_eq(d.n_fields, 4);
        ck_assert(decoded_is_text(&d, "SYSLOG_IDENTIFIER", "answerd"));
        ck_assert(decoded_is(&d, "A_NUMBER_1", "\0\n", 2));
        priority = decoded_find(&d, "PRIORITY");
        ck_assert(priority && priority->size == 1);
        ck_assert(priority->data[0] >= '0' && priority->data[0] <= '7');
        id = decoded_find(&d, "MESSAGE_ID");
        ck_assert(id && id->size == 32);
        memcpy(ids[event], id->data, 32);
        ids[event][32] = '\0';
        ck_assert_uint_eq(strspn(ids[event], "0123456789abcdef"), 32);
        for (int other = 0; other < event; other++)
            ck_assert_str_ne(ids[event], ids[other]);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("entry");
    TCase *cases = tcase_create("entry");

    tcase_add_test(cases, every_field);
    tcase_add_test(cases, unix_peers_have_no_port);
    tcase_add_test(cases, where_a_connection_comes_from);
    tcase_add_test(cases, an_unfinished_message_says_so);
    tcase_add_test(cases, no_byte_can_begin_a_field);
    tcase_add_test(cases, long_messages_are_cut_for_reading_only);
    tcase_add_test(cases, appends_to_what_is_there);
    tcase_add_test(cases, every_event_has_its_own_id);
    suite_add_tcase(suite, cases);
    return suite;
}
