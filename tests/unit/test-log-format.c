/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/macros.h"
#include "log/format.h"
#include "random.h"
#include "runner.h"

/* RFC 3720, B.4, and the check value of the catalogues. */
START_TEST(crc_as_published)
{
    uint8_t bytes[48];

    ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
    memset(bytes, 0, 32);
    ck_assert_uint_eq(crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    ck_assert_uint_eq(crc32c(0, bytes, 32), 0x62a8ab43);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    ck_assert_uint_eq(crc32c(0, bytes, 32), 0x46dd794e);
    ck_assert_uint_eq(crc32c(0, NULL, 0), 0);
}
END_TEST

START_TEST(crc_by_table_and_by_instruction_and_in_parts)
{
    uint64_t state = 1;
    uint8_t bytes[300];

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)random_next(&state);
    for (size_t n = 0; n < sizeof bytes; n++) {
        size_t cut = random_below(&state, n + 1);
        uint32_t whole = crc32c_by_table(0, bytes, n);

        ck_assert_uint_eq(crc32c(0, bytes, n), whole);
        ck_assert_uint_eq(crc32c(crc32c(0, bytes, cut), bytes + cut, n - cut), whole);
    }
}
END_TEST

static const struct log_head head = { .serial = 7, .salt = 0x1122, .run = 0xabc, .first = 12 };

START_TEST(a_head_is_read_as_written)
{
    uint8_t bytes[LOG_HEAD_SIZE];
    struct log_head read;

    log_head_put(bytes, &head);
    ck_assert_int_eq(log_head_get(bytes, &read), 0);
    ck_assert_int_eq(memcmp(&read, &head, sizeof head), 0);
    bytes[1000] ^= 1;
    ck_assert_int_eq(log_head_get(bytes, &read), -EBADMSG);
}
END_TEST

static size_t make(uint8_t *out, const struct record *record, uint64_t number)
{
    size_t size = log_record_size(record);

    log_record_put(out, record, size);
    ck_assert_uint_eq(
        log_record_seal(out, head.salt,
                        &(struct log_seal){ .number = number, .time_us = 99, .distance = 3 }),
        size);
    return size;
}

static bool is_sound(const uint8_t *p, size_t size, uint64_t salt)
{
    return log_record_begins(p, salt) && log_record_claim(p) == size && log_record_is_whole(p);
}

START_TEST(a_record_is_read_as_written)
{
    struct record record = {
        .data = (const uint8_t *)"a\0b\n",
        .size = 4,
        .peer = "pid 7, uid 0",
        .peer_port = "",
        .listener = "front door",
        .connection = 5,
        .seq = 6,
        .unfinished = true,
    };
    struct log_item item;
    uint8_t bytes[200];
    size_t size = make(bytes, &record, 42);

    ck_assert_uint_eq(log_record_claim(bytes), size);
    ck_assert_uint_eq(log_record_trailer(bytes + size - 4), size);
    ck_assert(is_sound(bytes, size, head.salt));
    log_record_get(bytes, size, &head, &item);
    ck_assert_uint_eq(item.number, 42);
    ck_assert_uint_eq(item.time_us, 99);
    ck_assert_uint_eq(item.distance, 3);
    ck_assert_str_eq(item.record.id, "0000000000000abc-5-6");
    ck_assert_str_eq(item.record.peer, record.peer);
    ck_assert_str_eq(item.record.peer_name, record.peer);
    ck_assert_str_eq(item.record.peer_port, "");
    ck_assert_str_eq(item.record.listener, record.listener);
    ck_assert_uint_eq(item.record.size, 4);
    ck_assert_int_eq(memcmp(item.record.data, record.data, 4), 0);
    ck_assert(item.record.unfinished);
}
END_TEST

START_TEST(where_a_connection_comes_from)
{
    char longest[RECORD_ORIGIN_MAX + 1] = "";
    struct record_origin origin = { .identity = "meter-17", .proxy = "", .proxy_id = longest };
    struct record record = {
        .data = (const uint8_t *)"hello",
        .size = 5,
        .peer = "192.0.2.1",
        .peer_port = "80",
        .listener = "x",
    };
    struct log_item item;
    uint8_t bytes[600];
    size_t plain = make(bytes, &record, 1), size;

    log_record_get(bytes, plain, &head, &item);
    ck_assert_ptr_null(item.record.origin);
    record.origin = &origin;
    memset(longest, 'i', RECORD_ORIGIN_MAX);
    size = make(bytes, &record, 1);
    ck_assert(is_sound(bytes, size, head.salt));
    log_record_get(bytes, size, &head, &item);
    ck_assert_str_eq(item.record.origin->identity, "meter-17");
    ck_assert_str_eq(item.record.origin->proxy, "");
    ck_assert_str_eq(item.record.origin->proxy_id, longest);
    ck_assert_str_eq(item.record.listener, "x");
    ck_assert_uint_eq(item.record.size, 5);
    ck_assert_mem_eq(item.record.data, "hello", 5);
    ck_assert_uint_eq(size, plain + 3 + strlen("meter-17") + 3 + RECORD_ORIGIN_MAX);
}
END_TEST

/* As a later version may write it: an unknown field, and one that does not fit. */
START_TEST(unknown_fields_are_skipped)
{
    static const uint8_t further[] = {
        9, 2, 0, 'x', 'y', LOG_PROXY, 1, 0, 'p', LOG_IDENTITY, 9, 0
    };
    struct record_origin origin = { .identity = "123456789", .proxy = "", .proxy_id = "" };
    struct record record = { .peer = "", .peer_port = "", .listener = "x", .origin = &origin };
    struct log_item item;
    uint8_t bytes[200];
    size_t size = make(bytes, &record, 1);

    ck_assert_uint_eq(sizeof further, 3 + strlen(origin.identity));
    memcpy(bytes + LOG_RECORD_HEAD + 1, further, sizeof further);
    log_record_get(bytes, size, &head, &item);
    ck_assert_str_eq(item.record.origin->identity, "");
    ck_assert_str_eq(item.record.origin->proxy, "p");
    ck_assert_uint_eq(item.record.size, 0);
}
END_TEST

START_TEST(no_bit_can_change)
{
    struct record record = {
        .data = (const uint8_t *)"hello",
        .size = 5,
        .peer = "192.0.2.1",
        .peer_port = "80",
        .listener = "x",
    };
    uint8_t bytes[200];
    size_t size = make(bytes, &record, 1);

    ck_assert(!is_sound(bytes, size, head.salt + 1));
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        ck_assert(!is_sound(bytes, size, head.salt));
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    ck_assert(is_sound(bytes, size, head.salt));
}
END_TEST

/* A reader that looks for the next record behind a damaged one needs no more than a head, and believes
 * no other size. */
START_TEST(a_head_alone_tells_whether_a_record_begins)
{
    struct record record = {
        .data = (const uint8_t *)"hello", .size = 5, .peer = "", .peer_port = "", .listener = "x"
    };
    uint8_t bytes[200];
    size_t size = make(bytes, &record, 1);

    memset(bytes + LOG_RECORD_HEAD, 0, size - LOG_RECORD_HEAD);
    ck_assert(log_record_begins(bytes, head.salt));
    ck_assert(!log_record_is_whole(bytes));
    ck_assert(!log_record_begins(bytes, head.salt + 1));
    for (size_t bit = 0; bit < (size_t)8 * LOG_RECORD_HEAD; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        ck_assert(!log_record_begins(bytes, head.salt));
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}
END_TEST

START_TEST(what_is_too_large_is_refused)
{
    char name[LOG_NAME_MAX + 2] = "";
    struct record record = { .peer = "", .peer_port = "", .listener = name, .size = 1 };

    memset(name, 'x', LOG_NAME_MAX);
    ck_assert_uint_gt(log_record_size(&record), 0);
    name[LOG_NAME_MAX] = 'x';
    ck_assert_uint_eq(log_record_size(&record), 0);
    name[0] = '\0';
    record.size = LOG_RECORD_MAX - LOG_RECORD_MIN;
    ck_assert_uint_eq(log_record_size(&record), LOG_RECORD_MAX);
    record.size++;
    ck_assert_uint_eq(log_record_size(&record), 0);
    record.size = SIZE_MAX;
    ck_assert_uint_eq(log_record_size(&record), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("log-format");
    TCase *c = tcase_create("log-format");

    tcase_add_test(c, crc_as_published);
    tcase_add_test(c, crc_by_table_and_by_instruction_and_in_parts);
    tcase_add_test(c, a_head_is_read_as_written);
    tcase_add_test(c, a_record_is_read_as_written);
    tcase_add_test(c, where_a_connection_comes_from);
    tcase_add_test(c, unknown_fields_are_skipped);
    tcase_add_test(c, no_bit_can_change);
    tcase_add_test(c, a_head_alone_tells_whether_a_record_begins);
    tcase_add_test(c, what_is_too_large_is_refused);
    suite_add_tcase(suite, c);
    return suite;
}
