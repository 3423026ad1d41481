/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"
#include "decoder.h"
#include "log-stand.h"
#include "log/file.h"
#include "random.h"
#include "record/event-log.h"
#include "record/mirror.h"
#include "runner.h"

#define MS UINT64_C(1000) /* in µs */

static struct log_stand stand;
static char folder[64], path[96];
static int journal; /* the socket in place of journald's */
static struct mirror mirror;
static uint64_t received; /* number of the last record that arrived */
static uint64_t repeated; /* records that arrived again */
static uint64_t now_us;

static struct {
    unsigned n;
    bool fails;
    char text[200]; /* of the last one */
} events;

/* Replaces the real one: ld(1), --wrap. */
_printf_(2, 3) bool __wrap_event_log(enum event event, const char *format, ...);
bool __wrap_event_log(enum event event, const char *format, ...)
{
    va_list arguments;

    ck_assert_int_eq(event, EVENT_MIRROR_MISSED);
    if (events.fails)
        return false;
    events.n++;
    va_start(arguments, format);
    (void)vsnprintf(events.text, sizeof events.text, format, arguments);
    va_end(arguments);
    return true;
}

static void journal_start(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)unlink(path);
    strcpy(address.sun_path, path);
    journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(journal, 0);
    ck_assert_int_eq(bind(journal, (struct sockaddr *)&address, sizeof address), 0);
}

static void mirror_starts(void)
{
    ck_assert_int_eq(mirror_init(&mirror, stand.store.dir_fd, stand.writer.synced, path), 0);
}

static void setup(void)
{
    log_stand_init(&stand);
    strcpy(folder, "/tmp/answerd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    journal_start();
    received = repeated = 0;
    now_us = 1000 * MS;
    memset(&events, 0, sizeof events);
    mirror_starts();
}

static void teardown(void)
{
    mirror_deinit(&mirror);
    (void)close(journal);
    (void)unlink(path);
    (void)rmdir(folder);
    log_stand_deinit(&stand);
}

static void append(unsigned n)
{
    log_stand_append(&stand, n);
    ck_assert_int_eq(writer_sync(&stand.writer), 0);
}

static uint64_t step(void)
{
    return mirror_step(&mirror, stand.writer.synced, now_us);
}

/* Receives one entry; false: there is none. The records arrive in order. */
static bool receive(void)
{
    static uint8_t bytes[64 * 1024];
    ssize_t n = recv(journal, bytes, sizeof bytes, 0);
    const struct decoded_field *seq;
    struct decoded d;
    uint64_t number;

    if (n < 0) {
        ck_assert_int_eq(errno, EAGAIN);
        return false;
    }
    ck_assert(decode(bytes, (size_t)n, &d));
    seq = decoded_find(&d, "ANSWERD_SEQ");
    ck_assert_ptr_nonnull(seq);
    number = strtoull((const char *)seq->data, NULL, 10);
    if (number <= received)
        repeated++;
    else
        ck_assert_uint_eq(number, received + 1);
    received = MAX(received, number);
    return true;
}

static void receive_all(void)
{
    while (receive())
        ;
}

/* Until nothing is left to do. */
static void catch_up(void)
{
    while (step() < MIRROR_NEVER || mirror.watch)
        receive_all();
    receive_all();
    ck_assert_uint_eq(mirror_waiting(&mirror, stand.writer.synced), 0);
}

START_TEST(only_synced_records_are_copied)
{
    ck_assert_uint_eq(step(), MIRROR_NEVER);
    log_stand_append(&stand, 5);
    ck_assert_uint_eq(step(), MIRROR_NEVER);
    receive_all();
    ck_assert_uint_eq(received, 0);
    ck_assert_int_eq(writer_sync(&stand.writer), 0);
    log_stand_append(&stand, 5);
    catch_up();
    ck_assert_uint_eq(received, 5);
    ck_assert_int_eq(writer_sync(&stand.writer), 0);
    catch_up();
    ck_assert_uint_eq(received, 10);
    ck_assert_uint_eq(events.n, 0);
}
END_TEST

/* The writer, the journal and restarts in any order. */
START_TEST(each_record_arrives_once_and_in_order)
{
    uint64_t state = 7;

    for (unsigned round = 0; round < 1500; round++) {
        switch (random_below(&state, 8)) {
        case 0:
        case 1:
            append(1 + (unsigned)random_below(&state, 20));
            break;
        case 2:
            log_stand_append(&stand, 1 + (unsigned)random_below(&state, 5));
            break;
        case 3:
            for (uint64_t n = random_below(&state, 20); n > 0 && receive(); n--)
                ;
            break;
        case 4:
            if (random_below(&state, 20) == 0) {
                mirror_deinit(&mirror);
                log_stand_stop(&stand, random_below(&state, 2) == 0);
                log_stand_start(&stand);
                mirror_starts();
            }
            break;
        default:
            (void)step();
            break;
        }
    }
    append(1);
    catch_up();
    ck_assert_uint_eq(received, stand.writer.synced);
    ck_assert_uint_gt(stand.writer.serial, 8);
    ck_assert_uint_eq(repeated, 0);
    ck_assert_uint_eq(events.n, 0);
}
END_TEST

START_TEST(a_position_that_was_not_saved_repeats_records_and_skips_none)
{
    uint8_t bytes[20];

    append(3);
    catch_up();
    ck_assert_int_eq(file_read(mirror.file_fd, bytes, sizeof bytes, 0), 0);
    append(4);
    catch_up();
    ck_assert_uint_eq(received, 7);
    ck_assert_int_eq(file_write(mirror.file_fd, bytes, sizeof bytes, 0), 0);
    mirror_deinit(&mirror);
    mirror_starts();
    append(1);
    catch_up();
    ck_assert_uint_eq(received, 8);
    ck_assert_uint_eq(repeated, 4);
}
END_TEST

START_TEST(without_a_position_it_begins_with_the_oldest_record)
{
    append(30);
    mirror_deinit(&mirror);
    ck_assert_int_eq(unlinkat(stand.store.dir_fd, "mirror", 0), 0);
    log_stand_stop(&stand, true);
    log_stand_start(&stand);
    mirror_starts();
    append(1);
    catch_up();
    ck_assert_uint_eq(received, 31);
}
END_TEST

START_TEST(what_retention_removed_is_counted)
{
    uint64_t removed;
    char text[200];

    append(10);
    catch_up();
    mirror_deinit(&mirror);
    stand.store.limits.max_use = (uint64_t)5 * 64 * 1024;
    while (stand.writer.serial < 10)
        append(10);
    while (store_keep(&stand.store, 0) > 0)
        ;
    removed = stand.store.removed_to;
    ck_assert_uint_gt(removed, 100);
    mirror_starts();
    events.fails = true;
    received = removed;
    while (mirror_waiting(&mirror, stand.writer.synced) > 0) {
        (void)step();
        receive_all();
    }
    ck_assert_uint_eq(received, stand.writer.synced);
    /* The journal had no room for the event: it comes later. */
    ck_assert_uint_eq(step(), 1000 * MS);
    events.fails = false;
    now_us += 1000 * MS;
    ck_assert_uint_eq(step(), MIRROR_NEVER);
    ck_assert_uint_eq(events.n, 1);
    (void)snprintf(text, sizeof text,
                   "retention removed %" PRIu64
                   " records of the log before the journal had taken them",
                   removed - 10);
    ck_assert_str_eq(events.text, text);
}
END_TEST

START_TEST(the_open_segment_is_read_though_retention_removed_it)
{
    append(1);
    catch_up();
    stand.store.limits.max_use = (uint64_t)3 * 64 * 1024;
    while (stand.writer.serial < 3)
        append(1);
    while (store_keep(&stand.store, 0) > 0)
        ;
    ck_assert_uint_gt(stand.store.removed_to, 1);
    catch_up();
    ck_assert_uint_eq(received, stand.writer.synced);
    ck_assert_uint_eq(events.n, 0);
}
END_TEST

/* Where record number n is in the only segment, and its size. */
static uint64_t find(uint64_t n, size_t *ret_size)
{
    struct segment segment;
    struct log_item item;
    uint64_t offset;

    ck_assert_int_eq(segment_open(&segment, stand.store.dir_fd, 1), 0);
    do {
        offset = segment.offset;
        ck_assert_int_eq(segment_next(&segment, &item), 1);
    } while (item.number < n);
    *ret_size = item.size;
    segment_close(&segment);
    return offset;
}

/* The last synced record is damaged. Of the next two, which are being written, only the second can
 * be seen yet: the first must not be taken for damaged. */
START_TEST(damage_is_no_reason_to_skip_what_is_not_synced)
{
    uint8_t record[LOG_STAND_MESSAGE_MAX + 200], zeros[sizeof record] = { 0 };
    uint64_t damaged, unseen;
    size_t size;

    append(5);
    log_stand_append(&stand, 2);
    damaged = find(5, &size);
    ck_assert_int_eq(file_write(stand.writer.fd, zeros, 4, damaged), 0);
    unseen = find(4, &size) + size;
    ck_assert_uint_eq(unseen, damaged);
    ck_assert_int_eq(file_read(stand.writer.fd, record, 8, damaged), 0);
    unseen += log_record_claim(record);
    ck_assert_int_eq(file_read(stand.writer.fd, record, 8, unseen), 0);
    size = log_record_claim(record);
    ck_assert_int_eq(file_read(stand.writer.fd, record, size, unseen), 0);
    ck_assert_int_eq(file_write(stand.writer.fd, zeros, size, unseen), 0);
    catch_up();
    ck_assert_uint_eq(received, 4);
    ck_assert_uint_eq(events.n, 1);
    ck_assert_str_eq(events.text, "1 record of the log cannot be read, and is not in the journal");
    ck_assert_int_eq(file_write(stand.writer.fd, record, size, unseen), 0);
    ck_assert_int_eq(writer_sync(&stand.writer), 0);
    received = 5;
    catch_up();
    ck_assert_uint_eq(received, 7);
    ck_assert_uint_eq(events.n, 1);
}
END_TEST

START_TEST(the_position_is_exact_before_a_gap)
{
    uint8_t zeros[4] = { 0 };
    size_t size;

    for (unsigned i = 0; i < 4; i++)
        append(10);
    ck_assert_int_eq(file_write(stand.writer.fd, zeros, sizeof zeros, find(20, &size)), 0);
    (void)step();
    receive_all();
    ck_assert_uint_le(received, 19);
    ck_assert_uint_eq(mirror_waiting(&mirror, stand.writer.synced), 40 - received);
    while (received < 19) {
        (void)step();
        receive_all();
    }
    received = 20;
    catch_up();
    ck_assert_uint_eq(received, 40);
    ck_assert_uint_eq(events.n, 1);
}
END_TEST

START_TEST(a_full_journal_is_given_a_pause_and_then_watched)
{
    uint64_t wait_us;

    append(400);
    append(400);
    wait_us = step();
    ck_assert(!mirror.watch);
    ck_assert_uint_ge(wait_us, 100);
    ck_assert_uint_le(wait_us, 2000);
    ck_assert_uint_eq(step(), MIRROR_NEVER);
    ck_assert(mirror.watch);
    ck_assert(receive());
    ck_assert_uint_lt(step(), MIRROR_NEVER);
    ck_assert(!mirror.watch);
    catch_up();
    ck_assert_uint_eq(received, 800);
}
END_TEST

START_TEST(a_journal_that_is_away_is_looked_for_ever_more_rarely)
{
    static const uint64_t waits[] = { 100 * MS, 200 * MS, 400 * MS, 800 * MS, 1000 * MS };

    (void)close(journal);
    ck_assert_uint_eq(step(), MIRROR_NEVER); /* nothing is to be copied */
    append(1);
    for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
        ck_assert_uint_eq(step(), waits[i]);
    journal_start();
    ck_assert_uint_eq(step(), 10 * MS); /* a nap, for more to gather */
    ck_assert_uint_eq(step(), MIRROR_NEVER);
    receive_all();
    ck_assert_uint_eq(received, 1);
    (void)close(journal);
    append(1);
    ck_assert_uint_eq(step(), 100 * MS);
    journal_start();
    catch_up();
    ck_assert_uint_eq(received, 2);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("mirror");
    TCase *c = tcase_create("mirror");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, only_synced_records_are_copied);
    tcase_add_test(c, each_record_arrives_once_and_in_order);
    tcase_add_test(c, a_position_that_was_not_saved_repeats_records_and_skips_none);
    tcase_add_test(c, without_a_position_it_begins_with_the_oldest_record);
    tcase_add_test(c, what_retention_removed_is_counted);
    tcase_add_test(c, the_open_segment_is_read_though_retention_removed_it);
    tcase_add_test(c, damage_is_no_reason_to_skip_what_is_not_synced);
    tcase_add_test(c, the_position_is_exact_before_a_gap);
    tcase_add_test(c, a_full_journal_is_given_a_pause_and_then_watched);
    tcase_add_test(c, a_journal_that_is_away_is_looked_for_ever_more_rarely);
    suite_add_tcase(suite, c);
    return suite;
}
