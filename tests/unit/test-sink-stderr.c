/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "record/sink.h"
#include "runner.h"

static struct sink *sink;
static uint64_t staged, received; /* records */

static void teardown(void)
{
    sink_free(sink);
}

/* Stages the next record, with `size` bytes of data. */
static int stage(size_t size)
{
    uint8_t *data = malloc(size + 1);
    int r;

    ck_assert_ptr_nonnull(data);
    memset(data, (int)(staged + 1) & 0xff, size);
    r = sink_stage(sink, &(struct record){ .data = data,
                                           .size = size,
                                           .id = "id",
                                           .peer = "192.0.2.1",
                                           .peer_port = "1",
                                           .peer_name = "192.0.2.1:1",
                                           .listener = "default" });
    free(data);
    if (r == 0)
        staged++;
    return r;
}

static size_t submit(void)
{
    int refused;
    size_t done = sink_submit(sink, &refused);

    ck_assert(!refused);
    return done;
}

/* Standard error for one test: the end of a pipe, a socket, or a file. */
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
    sink = sink_stderr_new();
    ck_assert_ptr_nonnull(sink);
    return e;
}

static void restore_stderr(struct standard_error *e)
{
    ck_assert_int_eq(dup2(e->saved, STDERR_FILENO), STDERR_FILENO);
    (void)close(e->saved);
    (void)close(e->read_fd);
}

/* Reads all lines, and checks that each is the next one. */
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
    uint64_t done = 0;

    ck_assert_int_eq(sink_open(sink), 0);
    staged = 0x7f; /* each shown as \xHH, so that every line has the same form */
    received = 0x7f;
    for (int i = 0; i < 100000 && sink->state == SINK_READY && staged < 0xf0; i++)
        if (stage(100) < 0 || i % 7 == 0)
            done += submit();
    while (sink->n_waiting > 0) {
        read_lines(e->read_fd);
        done += submit();
        ck_assert_int_ne(sink->state, SINK_AWAY);
    }
    read_lines(e->read_fd);
    ck_assert_uint_eq(done, staged - 0x7f);
    ck_assert_uint_eq(received, staged);
}

START_TEST(lines_to_a_full_pipe)
{
    struct standard_error e = stderr_pipe();

    check_stderr_full(&e);
    /* Others write there too, and do not expect EAGAIN. */
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

/* After su(1) standard error may be a pipe of another user. Opening it again fails with EACCES. */
START_TEST(lines_to_a_full_pipe_of_someone_else)
{
    struct standard_error e;

    if (geteuid() != 0)
        return; /* only root can give a pipe away */
    e = stderr_pipe();
    ck_assert_int_eq(fchown(STDERR_FILENO, 1, 1), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    check_stderr_full(&e);
    ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_eq(seteuid(0), 0);
    restore_stderr(&e);
}
END_TEST

START_TEST(a_pipe_that_nobody_reads)
{
    struct standard_error e = stderr_pipe();

    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(sink_open(sink), 0);
    ck_assert_int_eq(stage(10), 0);
    (void)close(e.read_fd);
    ck_assert_uint_eq(submit(), 0);
    ck_assert_int_eq(sink->state, SINK_AWAY);
    ck_assert_uint_eq(sink->n_waiting, 1);
    e.read_fd = -1;
    restore_stderr(&e);
}
END_TEST

START_TEST(lines_to_a_file)
{
    static const char *const text =
        "before\n192.0.2.1:1: \\x01\\x01\n192.0.2.1:1: \\x02\\x02\\x02\nafter\n";
    char file[] = "/tmp/answerd-test-XXXXXX", bytes[256];
    struct standard_error e;
    int fd;

    fd = mkostemp(file, O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "before\n", 7), 7);
    e = replace_stderr(fd, open(file, O_RDONLY | O_CLOEXEC));
    (void)unlink(file);
    ck_assert_int_eq(sink_open(sink), 0);
    ck_assert_int_eq(stage(2), 0);
    ck_assert_int_eq(stage(3), 0);
    ck_assert_uint_eq(submit(), 2);
    ck_assert_int_eq(write(STDERR_FILENO, "after\n", 6), 6);
    ck_assert_int_eq(read(e.read_fd, bytes, sizeof bytes), (ssize_t)strlen(text));
    ck_assert_mem_eq(bytes, text, strlen(text));
    restore_stderr(&e);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("sink-stderr");
    TCase *cases = tcase_create("sink-stderr");

    tcase_set_timeout(cases, 30);
    tcase_add_checked_fixture(cases, NULL, teardown);
    tcase_add_test(cases, lines_to_a_full_pipe);
    tcase_add_test(cases, lines_to_a_full_pipe_of_someone_else);
    tcase_add_test(cases, lines_to_a_full_socket);
    tcase_add_test(cases, a_pipe_that_nobody_reads);
    tcase_add_test(cases, lines_to_a_file);
    suite_add_tcase(suite, cases);
    return suite;
}
