/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "log-stand.h"
#include "record/committer.h"
#include "record/sink.h"
#include "runner.h"

/* The committer on a log of its own, without threads, with two workers' sinks. */

#define SYNC_US UINT64_C(3600000000)
#define LARGE   ((size_t)64 * 1024 - LOG_HEAD_SIZE - 100) /* fills a segment of the stand */

static struct log_stand stand;
static struct committer committer;
static struct sink *sinks[2];
static uint64_t seq[2], clock_offset_us;
static unsigned n_syncs;
static int sync_error, truncate_error;
static bool disk_is_full;

/* --- what the linker puts in place of libc -------------------------------------------------- */

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
ssize_t __real_pwritev(int fd, const struct iovec *vectors, int n, off_t offset);
ssize_t __wrap_pwritev(int fd, const struct iovec *vectors, int n, off_t offset);
int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);

static int failed(int error)
{
    errno = error;
    return -1;
}

int __wrap_fdatasync(int fd)
{
    n_syncs++;
    return sync_error ? failed(sync_error) : __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
    return truncate_error ? failed(truncate_error) : __real_fsync(fd);
}

ssize_t __wrap_pwritev(int fd, const struct iovec *vectors, int n, off_t offset)
{
    return disk_is_full ? failed(ENOSPC) : __real_pwritev(fd, vectors, n, offset);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    int r = __real_clock_gettime(id, t);

    if (id == CLOCK_MONOTONIC)
        t->tv_sec += (time_t)(clock_offset_us / 1000000);
    return r;
}

/* --- the stand ------------------------------------------------------------------------------ */

static void begin(uint64_t sync_us)
{
    n_syncs = 0;
    sync_error = truncate_error = 0;
    disk_is_full = false;
    seq[0] = seq[1] = clock_offset_us = 0;
    log_stand_init(&stand);
    while (store_keep(&stand.store, clock_us(CLOCK_REALTIME)) > 0)
        ;
    ck_assert_int_eq(committer_init(&committer), 0);
    committer.writer = stand.writer;
    committer_open(&committer, sync_us);
    for (int i = 0; i < 2; i++) {
        sinks[i] = sink_log_new(&committer);
        ck_assert_int_eq(sink_open(sinks[i]), 0);
    }
}

static void end(void)
{
    for (int i = 0; i < 2; i++)
        sink_free(sinks[i]);
    (void)committer_close(&committer);
    committer_deinit(&committer);
    stand.writer.fd = -1;
    stand.writer.index = NULL;
    clock_offset_us = 0; /* Check reads the clock too */
    log_stand_deinit(&stand);
}

/* The next record of that worker's connection. */
static void stage(int i, size_t size)
{
    uint8_t *data = calloc(1, size);
    struct record record = {
        .data = data,
        .size = size,
        .peer = "192.0.2.1",
        .peer_port = "4711",
        .listener = "default",
        .connection = (uint64_t)i + 1,
        .seq = ++seq[i],
    };

    ck_assert_int_eq(sink_stage(sinks[i], &record), 0);
    free(data);
}

/* Returns how many records have come back. */
static size_t submit(int i)
{
    int error;
    size_t n = sink_submit(sinks[i], &error);

    ck_assert_int_eq(error, 0);
    return n;
}

static bool woken(int fd)
{
    uint64_t value;

    return read(fd, &value, sizeof value) == sizeof value;
}

/* Reads the first segment: each connection's records must be there in order. Returns how many. */
static unsigned count_records(void)
{
    uint64_t last[3] = { 0 };
    struct segment segment;
    struct log_item item;
    unsigned n = 0;

    ck_assert_int_eq(segment_open(&segment, stand.store.dir_fd, 1), 0);
    for (; segment_next(&segment, &item) > 0; n++) {
        ck_assert_uint_eq(item.number, n + 1);
        ck_assert_uint_eq(item.record.seq, last[item.record.connection] + 1);
        last[item.record.connection] = item.record.seq;
    }
    segment_close(&segment);
    return n;
}

/* --- tests ---------------------------------------------------------------------------------- */

START_TEST(parcels_of_two_sinks_share_a_sync_and_stay_in_order)
{
    begin(0);
    for (int round = 0; round < 3; round++) {
        n_syncs = 0;
        stage(0, 10);
        stage(1, 20);
        stage(0, 30);
        ck_assert_uint_eq(submit(0), 0);
        ck_assert_uint_eq(submit(1), 0);
        ck_assert(woken(committer.wake_fd));
        ck_assert_int_eq(sinks[0]->state, SINK_WORKING);
        ck_assert(!woken(sinks[0]->fd));
        if (round == 0) { /* the first segment begins: its head is synced too */
            ck_assert_uint_eq(committer_step(&committer), COMMITTER_NEVER);
            ck_assert_uint_eq(n_syncs, 2);
        } else {
            ck_assert_uint_eq(committer_step(&committer), COMMITTER_NEVER);
            ck_assert_uint_eq(n_syncs, 1);
        }
        ck_assert(woken(sinks[0]->fd) && woken(sinks[1]->fd));
        ck_assert_uint_eq(submit(0), 2);
        ck_assert_uint_eq(submit(1), 1);
        ck_assert_int_eq(sinks[0]->state, SINK_READY);
    }
    ck_assert_uint_eq(count_records(), 9);
    end();
}
END_TEST

START_TEST(the_next_parcel_gathers_while_one_is_away)
{
    begin(0);
    stage(0, 10);
    (void)submit(0);
    stage(0, 10);
    ck_assert_uint_eq(submit(0), 0);
    (void)committer_step(&committer);
    ck_assert_uint_eq(submit(0), 1); /* and sends the next */
    ck_assert_int_eq(sinks[0]->state, SINK_WORKING);
    (void)committer_step(&committer);
    ck_assert_uint_eq(submit(0), 1);
    ck_assert_uint_eq(count_records(), 2);
    end();
}
END_TEST

START_TEST(with_a_span_records_come_back_before_the_sync)
{
    begin(SYNC_US);
    stage(0, 10);
    (void)submit(0);
    n_syncs = 0;
    ck_assert_uint_gt(committer_step(&committer), SYNC_US / 2);
    ck_assert_uint_eq(n_syncs, 1); /* of the segment's head */
    ck_assert_uint_eq(submit(0), 1);
    clock_offset_us = 2 * SYNC_US;
    ck_assert_uint_eq(committer_step(&committer), COMMITTER_NEVER);
    ck_assert_uint_eq(n_syncs, 2);
    end();
}
END_TEST

/* The end of a segment syncs everything. Then no sync is due, until a record comes. */
START_TEST(a_sync_that_the_end_of_a_segment_made_is_not_due_any_more)
{
    begin(SYNC_US);
    stage(0, 10);
    (void)submit(0);
    (void)committer_step(&committer);
    ck_assert_uint_eq(submit(0), 1);
    stage(0, LARGE); /* it does not fit, and there is no spare */
    (void)submit(0);
    ck_assert_uint_gt(committer_step(&committer), 0);
    clock_offset_us = 2 * SYNC_US;
    ck_assert_uint_gt(committer_step(&committer), 0);
    end();
}
END_TEST

START_TEST(a_sink_may_go_while_its_parcel_is_away)
{
    begin(0);
    stage(0, 10);
    stage(1, 10);
    (void)submit(0);
    (void)submit(1);
    sink_free(sinks[0]);
    sinks[0] = NULL;
    (void)committer_step(&committer);
    ck_assert_uint_eq(submit(1), 1);
    ck_assert_uint_eq(count_records(), 2);
    end();
}
END_TEST

START_TEST(without_room_nothing_comes_back_until_there_is_room)
{
    begin(0);
    stage(0, 10);
    (void)submit(0);
    disk_is_full = true;
    ck_assert_uint_ne(committer_step(&committer), COMMITTER_NEVER);
    ck_assert(atomic_load(&committer.blocked));
    ck_assert_uint_eq(submit(0), 0);
    ck_assert_int_eq(atomic_load(&committer.error), 0);
    disk_is_full = false;
    ck_assert_uint_eq(committer_step(&committer), COMMITTER_NEVER);
    ck_assert(!atomic_load(&committer.blocked));
    ck_assert_uint_eq(submit(0), 1);
    ck_assert_uint_eq(count_records(), 1);
    end();
}
END_TEST

START_TEST(a_failed_sync_is_final)
{
    begin(0);
    stage(0, 10);
    (void)submit(0);
    (void)committer_step(&committer);
    ck_assert_uint_eq(submit(0), 1);
    stage(0, 10);
    (void)submit(0);
    sync_error = EIO;
    ck_assert_uint_eq(committer_step(&committer), COMMITTER_NEVER);
    ck_assert_int_eq(atomic_load(&committer.error), -EIO);
    sync_error = 0;
    n_syncs = 0;
    ck_assert_uint_eq(committer_step(&committer), COMMITTER_NEVER);
    ck_assert_uint_eq(n_syncs, 0);
    ck_assert_uint_eq(submit(0), 0);
    end();
}
END_TEST

/* Want of room passes, but not where a sync has met it. */
START_TEST(a_segment_that_cannot_be_synced_for_want_of_room_is_final)
{
    begin(0);
    stage(0, 10);
    (void)submit(0);
    (void)committer_step(&committer);
    ck_assert_uint_eq(submit(0), 1);
    stage(0, LARGE);
    (void)submit(0);
    truncate_error = ENOSPC;
    ck_assert_uint_eq(committer_step(&committer), COMMITTER_NEVER);
    ck_assert_int_eq(atomic_load(&committer.error), -ENOSPC);
    end();
}
END_TEST

/* Its error comes in its turn: behind the records before it, and before those behind it. */
START_TEST(a_record_that_no_segment_can_hold_is_refused)
{
    static const struct {
        unsigned before, behind;
        bool away; /* an earlier parcel is */
    } cases[] = {
        { 0, 0, false }, { 2, 0, false }, { 0, 0, true }, { 2, 3, true }, { 0, 3, false }
    };
    unsigned n = 0;
    int error;

    begin(0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (cases[i].away) {
            stage(0, 10);
            ck_assert_uint_eq(submit(0), 0);
        }
        for (unsigned k = 0; k < cases[i].before; k++)
            stage(0, 10);
        stage(0, 64 * 1024);
        ck_assert_uint_eq(sink_room(sinks[0]), 0);
        if (cases[i].away) {
            ck_assert_uint_eq(submit(0), 0);
            (void)committer_step(&committer);
            ck_assert_uint_eq(sink_submit(sinks[0], &error), 1);
            n++;
            if (cases[i].before > 0)
                ck_assert_int_eq(error, 0);
        } else {
            ck_assert_uint_eq(sink_submit(sinks[0], &error), 0);
        }
        if (cases[i].before > 0) {
            ck_assert_int_eq(error, 0);
            (void)committer_step(&committer);
            ck_assert_uint_eq(sink_submit(sinks[0], &error), cases[i].before);
        }
        ck_assert_int_eq(error, -EMSGSIZE);
        seq[0]--; /* the log never sees it */
        n += cases[i].before;
        for (unsigned k = 0; k < cases[i].behind; k++)
            stage(0, 10);
        ck_assert_uint_eq(submit(0), 0);
        (void)committer_step(&committer);
        ck_assert_uint_eq(submit(0), cases[i].behind);
        n += cases[i].behind;
        ck_assert_uint_eq(sinks[0]->n_waiting, 0);
        ck_assert_int_eq(sinks[0]->state, SINK_READY);
    }
    ck_assert_uint_eq(count_records(), n);
    end();
}
END_TEST

/* No record makes a segment grow. */
START_TEST(the_largest_record_fills_a_segment)
{
    struct stat st;

    begin(0);
    stage(0, LARGE);
    (void)submit(0);
    ck_assert_uint_eq(committer_step(&committer), COMMITTER_NEVER);
    ck_assert_uint_eq(submit(0), 1);
    ck_assert_int_eq(fstat(committer.writer.fd, &st), 0);
    ck_assert_int_eq(st.st_size, stand.limits.segment_size);
    end();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("committer");
    TCase *c = tcase_create("committer");

    tcase_add_test(c, parcels_of_two_sinks_share_a_sync_and_stay_in_order);
    tcase_add_test(c, the_next_parcel_gathers_while_one_is_away);
    tcase_add_test(c, with_a_span_records_come_back_before_the_sync);
    tcase_add_test(c, a_sync_that_the_end_of_a_segment_made_is_not_due_any_more);
    tcase_add_test(c, a_sink_may_go_while_its_parcel_is_away);
    tcase_add_test(c, without_room_nothing_comes_back_until_there_is_room);
    tcase_add_test(c, a_failed_sync_is_final);
    tcase_add_test(c, a_segment_that_cannot_be_synced_for_want_of_room_is_final);
    tcase_add_test(c, a_record_that_no_segment_can_hold_is_refused);
    tcase_add_test(c, the_largest_record_fills_a_segment);
    suite_add_tcase(suite, c);
    return suite;
}
