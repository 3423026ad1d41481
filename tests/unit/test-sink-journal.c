/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"
#include "decoder.h"
#include "net/loop.h"
#include "record/batch.h"
#include "record/sink.h"
#include "runner.h"

static char folder[64], path[96];
static int journal; /* the socket in place of journald's */
static struct sink *sink;
static uint64_t staged, received; /* seq of the last record */

static void journal_start(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)unlink(path);
    strcpy(address.sun_path, path);
    journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(journal, 0);
    ck_assert_int_eq(bind(journal, (struct sockaddr *)&address, sizeof address), 0);
}

static void setup(void)
{
    strcpy(folder, "/tmp/answerd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    staged = received = 0;
    journal_start();
    sink = sink_journal_new(path);
    ck_assert_ptr_nonnull(sink);
}

static void teardown(void)
{
    sink_free(sink);
    (void)close(journal);
    (void)unlink(path);
    (void)rmdir(folder);
}

/* Stages the next record, with `size` bytes of data. */
static int stage(size_t size)
{
    uint8_t *data = malloc(size + 1);
    int r;

    ck_assert_ptr_nonnull(data);
    memset(data, (int)(staged + 1) & 0xff, size);
    r = sink_stage(sink, &(struct record){
                             .data = data,
                             .size = size,
                             .id = "id",
                             .peer = "192.0.2.1",
                             .peer_port = "1",
                             .peer_name = "192.0.2.1:1",
                             .listener = "default",
                             .connection = 1,
                             .seq = staged + 1,
                         });
    free(data);
    if (r == 0)
        staged++;
    return r;
}

/* No record fails here. */
static size_t submit(void)
{
    int refused;
    size_t done = sink_submit(sink, &refused);

    ck_assert(!refused);
    return done;
}

static void check_entry(const uint8_t *bytes, size_t n)
{
    const struct decoded_field *data;
    struct decoded d;
    char seq[24];

    ck_assert(decode(bytes, n, &d));
    (void)snprintf(seq, sizeof seq, "%" PRIu64, ++received);
    ck_assert_msg(decoded_is_text(&d, "ANSWERD_SEQ", seq), "not record %s", seq);
    data = decoded_find(&d, "ANSWERD_DATA");
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < data->size; i++)
        if (data->data[i] != (received & 0xff))
            ck_abort_msg("record %s holds other bytes", seq);
}

/* An entry sent as a file must be sealed, or journald would not take it. */
static void check_file(int fd)
{
    struct stat st;
    void *map;

    ck_assert_int_eq(fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
                     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    ck_assert_int_eq(fstat(fd, &st), 0);
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    ck_assert_ptr_ne(map, MAP_FAILED);
    check_entry(map, (size_t)st.st_size);
    (void)munmap(map, (size_t)st.st_size);
    (void)close(fd);
}

/* Receives one entry. False if there is none. */
static bool receive(void)
{
    /* More than the sink asks of SO_SNDBUF, which the kernel doubles: socket(7). */
    static uint8_t bytes[17 << 20];
    union {
        struct cmsghdr header;
        uint8_t space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec vector = { bytes, sizeof bytes };
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    ssize_t n = recvmsg(journal, &message, MSG_CMSG_CLOEXEC);
    int fd;

    if (n < 0) {
        ck_assert_int_eq(errno, EAGAIN);
        return false;
    }
    if (CMSG_FIRSTHDR(&message)) {
        ck_assert_int_eq(n, 0);
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
        check_file(fd);
    } else {
        check_entry(bytes, (size_t)n);
    }
    return true;
}

static void receive_all(void)
{
    while (receive())
        ;
}

START_TEST(reports_whether_a_journal_exists)
{
    ck_assert(sink_journal_exists(path));
    (void)unlink(path);
    ck_assert(!sink_journal_exists(path));
}
END_TEST

START_TEST(keeps_everything_until_opened)
{
    ck_assert_int_eq(sink->state, SINK_AWAY);
    ck_assert_int_eq(stage(1), 0);
    ck_assert_uint_eq(submit(), 0);
    ck_assert_int_eq(sink->state, SINK_AWAY);
    (void)unlink(path);
    ck_assert_int_eq(sink_open(sink), -ENOENT);
    ck_assert_int_eq(sink->state, SINK_AWAY);
    ck_assert_uint_eq(sink->n_waiting, 1);
    (void)close(journal);
    journal_start();
    ck_assert_int_eq(sink_open(sink), 0);
    ck_assert_uint_eq(submit(), 1);
    receive_all();
    ck_assert_uint_eq(received, 1);
}
END_TEST

START_TEST(one_entry_is_one_datagram)
{
    ck_assert_int_eq(sink_open(sink), 0);
    ck_assert_int_eq(sink->state, SINK_READY);
    ck_assert_int_ne(fcntl(sink->fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(sink->fd, F_GETFD) & FD_CLOEXEC, 0);
    for (size_t size = 0; size < 5; size++)
        ck_assert_int_eq(stage(size), 0);
    ck_assert(!receive()); /* nothing is sent before a submit */
    ck_assert_uint_eq(sink->n_waiting, 5);
    ck_assert_uint_eq(submit(), 5);
    ck_assert_uint_eq(sink->n_waiting, 0);
    ck_assert_uint_eq(submit(), 0);
    receive_all();
    ck_assert_uint_eq(received, 5);
}
END_TEST

/* Stages and submits until the journal's queue is full. Returns the number sent. */
static size_t fill(void)
{
    size_t done = 0;

    for (int i = 0; i < 10000 && sink->state == SINK_READY; i++)
        if (stage(20) < 0)
            done += submit();
    ck_assert_int_eq(sink->state, SINK_BUSY);
    return done;
}

START_TEST(a_full_queue_loses_nothing)
{
    size_t done;

    ck_assert_int_eq(sink_open(sink), 0);
    done = fill();
    while (stage(20) == 0)
        ;
    ck_assert_uint_eq(sink_room(sink), 0);
    ck_assert_uint_eq(done + sink->n_waiting, staged);
    ck_assert_uint_eq(submit(), 0);
    ck_assert_int_eq(sink->state, SINK_BUSY);
    while (sink->n_waiting > 0) {
        receive_all();
        done += submit();
    }
    ck_assert_int_eq(sink->state, SINK_READY);
    receive_all();
    ck_assert_uint_eq(done, staged);
    ck_assert_uint_eq(received, staged);
}
END_TEST

START_TEST(room_is_reported_as_an_edge)
{
    struct source source;
    struct loop loop;

    ck_assert_int_eq(sink_open(sink), 0);
    ck_assert_int_eq(loop_init(&loop), 0);
    source = (struct source){ .fd = sink->fd };
    ck_assert_int_eq(loop_add(&loop, &source, sink->events), 0);
    (void)fill();
    ck_assert_int_eq(loop_wait(&loop, 0), 0);
    while (loop_next(&loop))
        ;
    source.ready = 0;
    receive_all();
    ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), 0);
    ck_assert_ptr_eq(loop_next(&loop), &source);
    ck_assert_int_ne(source.ready & READY_OUT, 0);
    ck_assert_uint_gt(submit(), 0);
    loop_deinit(&loop);
}
END_TEST

START_TEST(a_batch_is_limited)
{
    int r = 0;

    ck_assert_int_eq(sink_open(sink), 0);
    for (int i = 0; i < BATCH_RECORDS; i++)
        ck_assert_int_eq(stage(1), 0);
    ck_assert_int_eq(stage(1), -EAGAIN);
    while (sink->n_waiting > 0) {
        (void)submit();
        receive_all();
    }
    ck_assert_uint_eq(received, BATCH_RECORDS);
    for (int i = 0; i < 10 && r == 0; i++)
        r = stage(100000);
    ck_assert_int_eq(r, -EAGAIN);
    ck_assert_uint_eq(staged, BATCH_RECORDS + 3);
}
END_TEST

START_TEST(large_entries_go_as_files)
{
    static const size_t sizes[] = { 10, 1 << 20, 20, 5 << 20, 18 << 20, 0 };

    ck_assert_int_eq(sink_open(sink), 0);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        while (stage(sizes[i]) < 0) {
            (void)submit();
            receive_all();
        }
    while (sink->n_waiting > 0) {
        (void)submit();
        ck_assert_int_ne(sink->state, SINK_AWAY);
        receive_all();
    }
    ck_assert_uint_eq(received, ARRAY_SIZE(sizes));
}
END_TEST

/* Identifies the memory file that this process has open, as no other file ever was. 0: none. */
static ino_t large_file(void)
{
    char name[64], target[64];
    ino_t found = 0;

    for (int fd = 0; fd < 64; fd++) {
        struct stat st;
        ssize_t n;

        (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        n = readlink(name, target, sizeof target - 1);
        target[MAX(n, (ssize_t)0)] = '\0';
        if (!strstr(target, "answerd-entry"))
            continue;
        ck_assert_uint_eq(found, 0);
        ck_assert_int_eq(fstat(fd, &st), 0);
        found = st.st_ino;
    }
    return found;
}

/* Fills the queue from another socket. Returns its descriptor. */
static int fill_by_others(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int filler = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(address.sun_path, path);
    ck_assert_int_eq(connect(filler, (struct sockaddr *)&address, sizeof address), 0);
    while (send(filler, "x", 1, MSG_NOSIGNAL) == 1)
        ;
    return filler;
}

START_TEST(a_large_entry_waits_as_one_file)
{
    int filler = fill_by_others();
    ino_t file;
    char byte;

    ck_assert_int_eq(sink_open(sink), 0);
    ck_assert_int_eq(stage(18 << 20), 0);
    ck_assert_uint_eq(submit(), 0);
    ck_assert_int_eq(sink->state, SINK_BUSY);
    file = large_file();
    ck_assert_uint_ne(file, 0);
    ck_assert_uint_eq(submit(), 0);
    ck_assert_uint_eq(large_file(), file);
    while (recv(journal, &byte, 1, 0) == 1)
        ;
    ck_assert_uint_eq(submit(), 1);
    ck_assert_uint_eq(large_file(), 0);
    receive_all();
    ck_assert_uint_eq(received, 1);
    (void)close(filler);
}
END_TEST

START_TEST(what_is_staged_outlives_the_journal)
{
    ck_assert_int_eq(sink_open(sink), 0);
    ck_assert_int_eq(stage(10), 0);
    ck_assert_uint_eq(submit(), 1);
    receive_all();
    ck_assert_int_eq(stage(10), 0);
    ck_assert_int_eq(stage(10), 0);

    (void)close(journal);
    ck_assert_uint_eq(submit(), 0);
    ck_assert_int_eq(sink->state, SINK_AWAY);
    ck_assert_int_lt(sink->fd, 0);
    ck_assert_uint_eq(sink->n_waiting, 2);
    ck_assert_int_eq(stage(10), 0);
    ck_assert_int_eq(sink_open(sink), -ECONNREFUSED);

    journal_start();
    ck_assert_int_eq(sink_open(sink), 0);
    ck_assert_uint_eq(submit(), 3);
    receive_all();
    ck_assert_uint_eq(received, 4);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("sink-journal");
    TCase *cases = tcase_create("sink-journal");

    tcase_set_timeout(cases, 30);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, reports_whether_a_journal_exists);
    tcase_add_test(cases, keeps_everything_until_opened);
    tcase_add_test(cases, one_entry_is_one_datagram);
    tcase_add_test(cases, a_full_queue_loses_nothing);
    tcase_add_test(cases, room_is_reported_as_an_edge);
    tcase_add_test(cases, a_batch_is_limited);
    tcase_add_test(cases, large_entries_go_as_files);
    tcase_add_test(cases, a_large_entry_waits_as_one_file);
    tcase_add_test(cases, what_is_staged_outlives_the_journal);
    suite_add_tcase(suite, cases);
    return suite;
}
