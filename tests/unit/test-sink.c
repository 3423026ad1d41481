/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
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
#include "journal/sink.h"
#include "net/loop.h"
#include "runner.h"

static char folder[64], path[96];
static int journal; /* the socket that stands for journald's */
static struct sink sink;
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
    sink_init_journal(&sink, path);
}

static void teardown(void)
{
    sink_deinit(&sink);
    (void)close(journal);
    (void)unlink(path);
    (void)rmdir(folder);
}

/* Stages the next record, its data `size` bytes. */
static int stage(size_t size)
{
    uint8_t *data = malloc(size + 1);
    int r;

    ck_assert_ptr_nonnull(data);
    memset(data, (int)(staged + 1) & 0xff, size);
    r = sink_stage(&sink, &(struct record){
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

/* An entry that came as a file must be sealed, or journald would not take it. */
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

/* Receives one entry; false where there is none. */
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

START_TEST(exists)
{
    ck_assert(sink_journal_exists(path));
    (void)unlink(path);
    ck_assert(!sink_journal_exists(path));
}
END_TEST

START_TEST(takes_nothing_until_opened)
{
    ck_assert_int_eq(sink.state, SINK_AWAY);
    ck_assert_int_eq(stage(1), -EAGAIN);
    ck_assert_uint_eq(sink_flush(&sink), 0);
    (void)unlink(path);
    ck_assert_int_eq(sink_open(&sink), -ENOENT);
    ck_assert_int_eq(sink.state, SINK_AWAY);
}
END_TEST

START_TEST(one_entry_is_one_datagram)
{
    ck_assert_int_eq(sink_open(&sink), 0);
    ck_assert_int_eq(sink.state, SINK_READY);
    ck_assert_int_ne(fcntl(sink.fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(sink.fd, F_GETFD) & FD_CLOEXEC, 0);
    for (size_t size = 0; size < 5; size++)
        ck_assert_int_eq(stage(size), 0);
    ck_assert(!receive()); /* nothing goes before the flush */
    ck_assert_uint_eq(sink_waiting(&sink), 5);
    ck_assert_uint_eq(sink_flush(&sink), 5);
    ck_assert_uint_eq(sink_waiting(&sink), 0);
    ck_assert_uint_eq(sink_flush(&sink), 0);
    receive_all();
    ck_assert_uint_eq(received, 5);
}
END_TEST

/* Stages and flushes until the journal's queue is full. Returns how many were flushed. */
static size_t fill(void)
{
    size_t flushed = 0;

    for (int i = 0; i < 10000 && sink.state == SINK_READY; i++) {
        if (stage(20) < 0)
            flushed += sink_flush(&sink);
    }
    ck_assert_int_eq(sink.state, SINK_BLOCKED);
    return flushed;
}

START_TEST(a_full_queue_loses_nothing)
{
    size_t flushed;

    ck_assert_int_eq(sink_open(&sink), 0);
    flushed = fill();
    ck_assert_int_eq(stage(20), -EAGAIN);
    ck_assert_uint_eq(flushed + sink_waiting(&sink), staged);
    ck_assert_uint_eq(sink_flush(&sink), 0);
    ck_assert_int_eq(sink.state, SINK_BLOCKED);
    while (sink_waiting(&sink) > 0) {
        receive_all();
        flushed += sink_flush(&sink);
    }
    ck_assert_int_eq(sink.state, SINK_READY);
    receive_all();
    ck_assert_uint_eq(flushed, staged);
    ck_assert_uint_eq(received, staged);
}
END_TEST

START_TEST(room_is_an_edge)
{
    struct source source;
    struct loop loop;

    ck_assert_int_eq(sink_open(&sink), 0);
    ck_assert_int_eq(loop_init(&loop), 0);
    source = (struct source){ .fd = sink.fd };
    ck_assert_int_eq(loop_add(&loop, &source, EPOLLOUT), 0);
    (void)fill();
    ck_assert_int_eq(loop_wait(&loop, 0), 0);
    while (loop_next(&loop))
        ;
    source.ready = 0;
    receive_all();
    ck_assert_int_eq(loop_wait(&loop, -1), 0);
    ck_assert_ptr_eq(loop_next(&loop), &source);
    ck_assert_int_ne(source.ready & READY_OUT, 0);
    ck_assert_uint_gt(sink_flush(&sink), 0);
    loop_deinit(&loop);
}
END_TEST

START_TEST(a_batch_is_limited)
{
    int r = 0;

    ck_assert_int_eq(sink_open(&sink), 0);
    for (int i = 0; i < SINK_BATCH_MAX; i++)
        ck_assert_int_eq(stage(1), 0);
    ck_assert_int_eq(stage(1), -EAGAIN);
    while (sink_waiting(&sink) > 0) {
        (void)sink_flush(&sink);
        receive_all();
    }
    ck_assert_uint_eq(received, SINK_BATCH_MAX);
    for (int i = 0; i < 10 && r == 0; i++)
        r = stage(100000);
    ck_assert_int_eq(r, -EAGAIN);
    ck_assert_uint_eq(staged, SINK_BATCH_MAX + 3);
}
END_TEST

START_TEST(large_entries_go_as_files)
{
    static const size_t sizes[] = { 10, 1 << 20, 20, 5 << 20, 18 << 20, 0 };

    ck_assert_int_eq(sink_open(&sink), 0);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        while (stage(sizes[i]) < 0) {
            (void)sink_flush(&sink);
            receive_all();
        }
    while (sink_waiting(&sink) > 0) {
        (void)sink_flush(&sink);
        ck_assert_int_ne(sink.state, SINK_AWAY);
        receive_all();
    }
    ck_assert_uint_eq(received, ARRAY_SIZE(sizes));
    ck_assert(!sink.bytes || sink.bytes->capacity <= 1 << 20);
}
END_TEST

START_TEST(a_large_entry_waits_as_one_file)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int filler = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), file;
    char byte;

    strcpy(address.sun_path, path);
    ck_assert_int_eq(connect(filler, (struct sockaddr *)&address, sizeof address), 0);
    while (send(filler, "x", 1, MSG_NOSIGNAL) == 1)
        ;
    ck_assert_int_eq(sink_open(&sink), 0);
    ck_assert_int_eq(stage(18 << 20), 0);
    ck_assert_uint_eq(sink_flush(&sink), 0);
    ck_assert_int_eq(sink.state, SINK_BLOCKED);
    file = sink.large_fd;
    ck_assert_int_ge(file, 0);
    ck_assert_uint_eq(sink_flush(&sink), 0);
    ck_assert_int_eq(sink.large_fd, file);
    while (recv(journal, &byte, 1, 0) == 1)
        ;
    ck_assert_uint_eq(sink_flush(&sink), 1);
    ck_assert_int_eq(sink.large_fd, -1);
    receive_all();
    ck_assert_uint_eq(received, 1);
    (void)close(filler);
}
END_TEST

START_TEST(what_is_staged_outlives_the_journal)
{
    ck_assert_int_eq(sink_open(&sink), 0);
    ck_assert_int_eq(stage(10), 0);
    ck_assert_uint_eq(sink_flush(&sink), 1);
    receive_all();
    ck_assert_int_eq(stage(10), 0);
    ck_assert_int_eq(stage(10), 0);

    (void)close(journal);
    ck_assert_uint_eq(sink_flush(&sink), 0);
    ck_assert_int_eq(sink.state, SINK_AWAY);
    ck_assert_int_lt(sink.fd, 0);
    ck_assert_uint_eq(sink_waiting(&sink), 2);
    ck_assert_int_eq(stage(10), -EAGAIN);
    ck_assert_int_eq(sink_open(&sink), -ECONNREFUSED);

    journal_start();
    ck_assert_int_eq(sink_open(&sink), 0);
    ck_assert_int_eq(stage(10), 0);
    ck_assert_uint_eq(sink_flush(&sink), 3);
    receive_all();
    ck_assert_uint_eq(received, 4);
}
END_TEST

/* Standard error for one test: the end of a pipe, or a socket, or a file. */
struct standard_error {
    int saved, read_fd;
};

static struct standard_error replace_stderr(int write_fd, int read_fd)
{
    struct standard_error e = { .saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3),
                                .read_fd = read_fd };

    ck_assert_int_ge(e.saved, 0);
    ck_assert_int_eq(dup2(write_fd, STDERR_FILENO), STDERR_FILENO);
    (void)close(write_fd);
    sink_init_stderr(&sink);
    return e;
}

static void restore_stderr(struct standard_error *e)
{
    sink_deinit(&sink);
    ck_assert_int_eq(dup2(e->saved, STDERR_FILENO), STDERR_FILENO);
    (void)close(e->saved);
    (void)close(e->read_fd);
}

/* All lines that are there, each checked to be the next. */
static void read_lines(int fd)
{
    static char held[1 << 17];
    static size_t n;
    ssize_t size;
    char *lf;

    while ((size = read(fd, held + n, sizeof held - n)) > 0) {
        n += (size_t)size;
        while ((lf = memchr(held, '\n', n))) {
            char expected[64];

            (void)snprintf(expected, sizeof expected, "192.0.2.1:1: \\x%02x",
                           (unsigned)(++received & 0xff));
            *lf = '\0';
            ck_assert_msg(strncmp(held, expected, strlen(expected)) == 0, "\"%s\"", held);
            n -= (size_t)(lf + 1 - held);
            memmove(held, lf + 1, n);
        }
    }
}

static struct standard_error stderr_pipe(void)
{
    int fds[2];

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_gt(fcntl(fds[1], F_SETPIPE_SZ, 4096), 0);
    return replace_stderr(fds[1], fds[0]);
}

static void check_stderr_full(struct standard_error *e)
{
    uint64_t flushed = 0;

    ck_assert_int_eq(sink_open(&sink), 0);
    staged = 0x7f; /* shown as \xHH each, so that every line is of the same form */
    received = 0x7f;
    for (int i = 0; i < 100000 && sink.state == SINK_READY && staged < 0xf0; i++)
        if (stage(100) < 0 || i % 7 == 0)
            flushed += sink_flush(&sink);
    while (sink_waiting(&sink) > 0) {
        read_lines(e->read_fd);
        flushed += sink_flush(&sink);
        ck_assert_int_ne(sink.state, SINK_AWAY);
    }
    read_lines(e->read_fd);
    ck_assert_uint_eq(flushed, staged - 0x7f);
    ck_assert_uint_eq(received, staged);
}

START_TEST(lines_to_a_full_pipe)
{
    struct standard_error e = stderr_pipe();

    check_stderr_full(&e);
    /* Others write there too, and would not expect EAGAIN. */
    ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    restore_stderr(&e);
}
END_TEST

START_TEST(lines_to_a_full_socket)
{
    struct standard_error e;
    int fds[2], size = 4096;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    e = replace_stderr(fds[1], fds[0]);
    check_stderr_full(&e);
    ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    restore_stderr(&e);
}
END_TEST

START_TEST(a_pipe_that_nobody_reads)
{
    struct standard_error e = stderr_pipe();

    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(sink_open(&sink), 0);
    ck_assert_int_eq(stage(10), 0);
    (void)close(e.read_fd);
    ck_assert_uint_eq(sink_flush(&sink), 0);
    ck_assert_int_eq(sink.state, SINK_AWAY);
    ck_assert_uint_eq(sink_waiting(&sink), 1);
    e.read_fd = -1;
    restore_stderr(&e);
}
END_TEST

START_TEST(lines_to_a_file)
{
    static const char *const text =
        "before\n192.0.2.1:1: \\x01\\x01\n192.0.2.1:1: \\x02\\x02\\x02\n";
    char file[128], bytes[256];
    struct standard_error e;
    int fd;

    (void)snprintf(file, sizeof file, "%s/stderr", folder);
    fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_eq(write(fd, "before\n", 7), 7);
    e = replace_stderr(fd, open(file, O_RDONLY | O_CLOEXEC));
    (void)unlink(file);
    /* A file that has been removed cannot be opened again through /proc by its name, but it can by
     * its descriptor. */
    ck_assert_int_eq(sink_open(&sink), 0);
    ck_assert_int_eq(stage(2), 0);
    ck_assert_int_eq(stage(3), 0);
    ck_assert_uint_eq(sink_flush(&sink), 2);
    ck_assert_int_eq(read(e.read_fd, bytes, sizeof bytes), (ssize_t)strlen(text));
    ck_assert_mem_eq(bytes, text, strlen(text));
    restore_stderr(&e);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("sink");
    TCase *cases = tcase_create("sink");

    tcase_set_timeout(cases, 30);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, exists);
    tcase_add_test(cases, takes_nothing_until_opened);
    tcase_add_test(cases, one_entry_is_one_datagram);
    tcase_add_test(cases, a_full_queue_loses_nothing);
    tcase_add_test(cases, room_is_an_edge);
    tcase_add_test(cases, a_batch_is_limited);
    tcase_add_test(cases, large_entries_go_as_files);
    tcase_add_test(cases, a_large_entry_waits_as_one_file);
    tcase_add_test(cases, what_is_staged_outlives_the_journal);
    tcase_add_test(cases, lines_to_a_full_pipe);
    tcase_add_test(cases, lines_to_a_full_socket);
    tcase_add_test(cases, a_pipe_that_nobody_reads);
    tcase_add_test(cases, lines_to_a_file);
    suite_add_tcase(suite, cases);
    return suite;
}
