/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* System calls fail as the kernel may let them fail. The linker replaces them with the functions
 * below (ld(1), --wrap) in everything linked statically. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/loop.h"
#include "net/socket.h"
#include "record/sink.h"
#include "record/stderr.h"
#include "runner.h"

static const char *failing; /* NULL: none, or it has failed */
static unsigned countdown;
static int failure;

/* Makes the n-th call of that name from now on fail with that errno. */
static void fail_at(const char *name, unsigned n, int error)
{
    failing = name;
    countdown = n;
    failure = error;
}

static bool fails(const char *name)
{
    if (!failing || strcmp(name, failing) != 0 || --countdown > 0)
        return false;
    failing = NULL;
    errno = failure;
    return true;
}

#define WRAP(type, name, parameters, arguments)                                                    \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails(#name) ? -1 : __real_##name arguments;                                        \
    }

WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, bind, (int fd, const struct sockaddr *sa, socklen_t n), (fd, sa, n))
WRAP(int, listen, (int fd, int backlog), (fd, backlog))
WRAP(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t n),
     (fd, level, name, value, n))
WRAP(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *n),
     (fd, level, name, value, n))
WRAP(int, epoll_create1, (int flags), (flags))
#ifdef HAVE_EPOLL_PWAIT2
WRAP(int, epoll_pwait2,
     (int fd, struct epoll_event *events, int n, const struct timespec *timeout,
      const sigset_t *signals),
     (fd, events, n, timeout, signals))
#endif
WRAP(int, epoll_wait, (int fd, struct epoll_event *events, int n, int ms), (fd, events, n, ms))
WRAP(ssize_t, write, (int fd, const void *bytes, size_t n), (fd, bytes, n))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WRAP(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned n, int flags),
     (fd, messages, n, flags))

#ifndef MFD_EXEC
#define MFD_NOEXEC_SEAL 0x8U
#define MFD_EXEC        0x10U
#endif

static int noexec = -1; /* vm.memfd_noexec; -1: like a kernel before 6.3, which does not know it */

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags)
{
    if (fails("memfd_create"))
        return -1;
    if (flags & MFD_EXEC && (noexec < 0 || noexec == 2)) {
        errno = noexec < 0 ? EINVAL : EACCES;
        return -1;
    }
    if (noexec > 0 && !(flags & MFD_EXEC))
        flags |= MFD_NOEXEC_SEAL;
    return __real_memfd_create(name, flags & ~MFD_EXEC);
}

/* Here the errno stands for one of getaddrinfo()'s own errors. */
int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret)
{
    if (fails("getaddrinfo"))
        return failure == ENOMEM ? EAI_MEMORY : EAI_SYSTEM;
    return __real_getaddrinfo(node, service, hints, ret);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    va_list arguments;
    int value;

    va_start(arguments, command);
    value = va_arg(arguments, int);
    va_end(arguments);
    return fails("fcntl") ? -1 : __real_fcntl(fd, command, value);
}

static char folder[64], path[96];
static int journal; /* the socket in place of journald's */
static struct sockaddr_any unix_address;
static const struct sockaddr_any in6_address = { .size = sizeof(struct sockaddr_in6),
                                                 .sa.sa_family = AF_INET6 };

static void setup(void)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&unix_address.sa;

    strcpy(folder, "/tmp/answerd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    unix_address.size = sizeof *un;
    un->sun_family = AF_UNIX;
    strcpy(un->sun_path, path);
}

static void teardown(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

/* If that call fails, listening fails with the same error, and leaves nothing behind. */
static void check_listen(const struct sockaddr_any *address, const char *name, unsigned n,
                         int error)
{
    int lowest = dup(STDIN_FILENO);

    ck_assert_int_ge(lowest, 0);
    (void)close(lowest);
    fail_at(name, n, error);
    ck_assert_int_eq(socket_listen(address, 1), -error);
    ck_assert_ptr_null(failing);
    ck_assert_int_eq(dup(STDIN_FILENO), lowest);
    (void)close(lowest);
}

START_TEST(listening_survives_failed_calls)
{
    check_listen(&unix_address, "socket", 1, EMFILE);
    check_listen(&unix_address, "bind", 1, EACCES);
    check_listen(&unix_address, "listen", 1, EOPNOTSUPP);
}
END_TEST

START_TEST(listening_on_ipv6_survives_failed_calls)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return; /* without IPv6 there is nothing to refuse */
    (void)close(fd);
    check_listen(&in6_address, "setsockopt", 1, ENOBUFS); /* SO_REUSEADDR */
    /* Two options whose failure is ignored, then IPV6_V6ONLY. */
    check_listen(&in6_address, "setsockopt", 4, ENOBUFS);
}
END_TEST

START_TEST(removing_a_stale_socket_survives_failed_calls)
{
    int fd = socket_listen(&unix_address, 1);

    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    check_listen(&unix_address, "socket", 2, EMFILE);
    check_listen(&unix_address, "bind", 2, ENOSPC);
    /* The file vanishes before it is checked. */
    (void)unlink(path);
    fail_at("bind", 1, EADDRINUSE);
    ck_assert_int_eq(socket_listen(&unix_address, 1), -ENOENT);
}
END_TEST

START_TEST(checking_a_listener_survives_failed_calls)
{
    int fd = socket_listen(&unix_address, 1);

    ck_assert_int_ge(fd, 0);
    for (unsigned n = 1; n <= 2; n++) {
        fail_at("getsockopt", n, ENOBUFS);
        ck_assert_int_eq(socket_check_listening(fd), -ENOBUFS);
    }
    ck_assert_int_eq(socket_check_listening(fd), 0);
    (void)close(fd);
}
END_TEST

START_TEST(loops_survive_failed_calls)
{
    struct loop loop;

    fail_at("epoll_create1", 1, EMFILE);
    ck_assert_int_eq(loop_init(&loop), -EMFILE);
    loop_deinit(&loop);
    ck_assert_int_eq(loop_init(&loop), 0);
    fail_at("epoll_wait", 1, EINTR);
    ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), 0);
    fail_at("epoll_wait", 1, EBADF);
    ck_assert_int_eq(loop_wait(&loop, LOOP_FOREVER), -EBADF);
#ifdef HAVE_EPOLL_PWAIT2
    fail_at("epoll_pwait2", 1, ENOSYS);
    ck_assert_int_eq(loop_wait(&loop, 999), 0);
    fail_at("epoll_pwait2", 1, EPERM);
    ck_assert_int_eq(loop_wait(&loop, 999), 0);
    fail_at("epoll_pwait2", 1, EBADF);
    ck_assert_int_eq(loop_wait(&loop, 999), -EBADF);
#endif
    loop_deinit(&loop);
}
END_TEST

START_TEST(addresses_survive_failed_calls)
{
    struct sockaddr_any *all = NULL;
    struct address address;
    const char *error = NULL;

    ck_assert_int_eq(address_parse("127.0.0.1:1", &address, &error), 0);
    fail_at("getaddrinfo", 1, ENOMEM);
    ck_assert_int_eq(address_resolve(&address, AF_UNSPEC, false, &all, &error), -ENOMEM);
    fail_at("getaddrinfo", 1, EMFILE);
    ck_assert_int_eq(address_resolve(&address, AF_UNSPEC, false, &all, &error), -EMFILE);
    ck_assert_str_eq(error, strerror(EMFILE));
    ck_assert_ptr_null(all);
    /* A machine without IPv6 listens on IPv4. */
    ck_assert_int_eq(address_parse(":1", &address, &error), 0);
    fail_at("socket", 1, EAFNOSUPPORT);
    ck_assert_int_eq(address_resolve(&address, AF_UNSPEC, true, &all, &error), 1);
    ck_assert_int_eq(all[0].sa.sa_family, AF_INET);
    free(all);
}
END_TEST

static struct sink *journal_start(void)
{
    struct sink *sink = sink_journal_new(path);

    ck_assert_ptr_nonnull(sink);
    journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(journal, 0);
    ck_assert_int_eq(bind(journal, &unix_address.sa, unix_address.size), 0);
    ck_assert_int_eq(sink_open(sink), 0);
    return sink;
}

static void stage(struct sink *sink, size_t size)
{
    uint8_t *data = calloc(1, size);

    ck_assert_ptr_nonnull(data);
    ck_assert_int_eq(sink_stage(sink, &(struct record){ .data = data,
                                                        .size = size,
                                                        .id = "id",
                                                        .peer = "peer",
                                                        .peer_port = "1",
                                                        .peer_name = "peer:1",
                                                        .listener = "default" }),
                     0);
    free(data);
}

/* If that call fails, the sink is in that state and has kept the staged records. It continues from
 * there. */
static void check_submit(struct sink *sink, size_t n, const char *name, int error,
                         enum sink_state state)
{
    int refused;

    fail_at(name, 1, error);
    ck_assert_uint_eq(sink_submit(sink, &refused), 0);
    ck_assert(!refused);
    ck_assert_ptr_null(failing);
    ck_assert_int_eq(sink->state, state);
    ck_assert_uint_eq(sink->n_waiting, n);
    if (state == SINK_AWAY) {
        ck_assert_int_lt(sink->fd, 0);
        ck_assert_int_eq(sink_open(sink), 0);
    }
}

START_TEST(entries_survive_failed_calls)
{
    static const int strained[] = { ENOBUFS, ENOMEM, EMFILE, ENFILE, ETOOMANYREFS, ENOSPC };
    static const int away[] = { ECONNREFUSED, ENOTCONN, EPERM };
    struct sink *sink = journal_start();
    int refused;

    stage(sink, 1);
    stage(sink, 1);
    check_submit(sink, 2, "sendmmsg", EAGAIN, SINK_BUSY);
    for (size_t i = 0; i < ARRAY_SIZE(strained); i++)
        check_submit(sink, 2, "sendmmsg", strained[i], SINK_STRAINED);
    for (size_t i = 0; i < ARRAY_SIZE(away); i++)
        check_submit(sink, 2, "sendmmsg", away[i], SINK_AWAY);
    fail_at("sendmmsg", 1, EINTR);
    ck_assert_uint_eq(sink_submit(sink, &refused), 2);
    ck_assert_int_eq(sink->state, SINK_READY);
    sink_free(sink);
    (void)close(journal);
}
END_TEST

/* A temporary error leaves the record where it is. */
START_TEST(large_entries_survive_failed_calls)
{
    struct sink *sink = journal_start();
    int refused;
    uint8_t byte;

    stage(sink, 32 << 20);
    check_submit(sink, 1, "memfd_create", EMFILE, SINK_STRAINED);
    check_submit(sink, 1, "write", ENOSPC, SINK_STRAINED);
    check_submit(sink, 1, "fcntl", EBUSY, SINK_AWAY);
    check_submit(sink, 1, "sendmsg", EAGAIN, SINK_BUSY);
    check_submit(sink, 1, "sendmsg", ETOOMANYREFS, SINK_STRAINED);
    ck_assert_int_lt(recv(journal, &byte, 1, 0), 0);
    fail_at("write", 1, EINTR);
    ck_assert_uint_eq(sink_submit(sink, &refused), 1);
    ck_assert_int_eq(recv(journal, &byte, 1, 0), 0); /* the file comes with an empty datagram */
    sink_free(sink);
    (void)close(journal);
}
END_TEST

/* If the error means that there will never be a file, that record is removed, and no other. */
START_TEST(impossible_entries_are_refused)
{
    static const int final[] = { EPERM, EACCES, ENOSYS, EINVAL, EFBIG };

    for (size_t i = 0; i < ARRAY_SIZE(final); i++) {
        struct sink *sink = journal_start();
        int refused;
        uint8_t byte;

        stage(sink, 1);
        stage(sink, 32 << 20);
        fail_at(i % 2 == 0 ? "memfd_create" : "write", 1, final[i]);
        ck_assert_uint_eq(sink_submit(sink, &refused), 1);
        ck_assert(refused);
        ck_assert_ptr_null(failing);
        ck_assert_uint_eq(sink->n_waiting, 0);
        ck_assert_int_eq(sink->state, SINK_READY);
        stage(sink, 1);
        ck_assert_uint_eq(sink_submit(sink, &refused), 1);
        ck_assert(!refused);
        for (int n = 0; n < 2; n++)
            ck_assert_int_eq(recv(journal, &byte, 1, 0), 1);
        ck_assert_int_lt(recv(journal, &byte, 1, 0), 0);
        sink_free(sink);
        (void)close(journal);
        (void)unlink(path);
    }
}
END_TEST

/* The seals of the file that came with an empty datagram. */
static int receive_seals(void)
{
    union {
        struct cmsghdr header;
        uint8_t space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof control };
    int fd, seals;

    ck_assert_int_eq(recvmsg(journal, &message, MSG_CMSG_CLOEXEC), 0);
    ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&message));
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    seals = fcntl(fd, F_GET_SEALS, 0);
    (void)close(fd);
    return seals;
}

/* journald drops a file with any other seals (systemd 252, memfd_get_sealed()). */
START_TEST(the_seals_that_journald_asks_for)
{
    struct sink *sink = journal_start();
    int refused;

    noexec = _i;
    stage(sink, 32 << 20);
    ck_assert_uint_eq(sink_submit(sink, &refused), noexec != 2);
    ck_assert_int_eq(refused, noexec == 2 ? -EACCES : 0);
    if (noexec != 2)
        ck_assert_int_eq(receive_seals(), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    sink_free(sink);
    (void)close(journal);
}
END_TEST

START_TEST(no_journal)
{
    char too_long[200];
    struct sink *sink;
    int r;

    /* Whether or not this machine has a journal. */
    sink = sink_journal_new(NULL);
    r = sink_open(sink);
    ck_assert(r == 0 || r == -ENOENT || r == -ECONNREFUSED || r == -EACCES);
    ck_assert_int_eq(sink->state, r < 0 ? SINK_AWAY : SINK_READY);
    sink_free(sink);

    memset(too_long, 'a', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    sink = sink_journal_new(too_long);
    ck_assert_int_eq(sink_open(sink), -ENAMETOOLONG);
    sink_free(sink);
    sink = sink_journal_new(path);
    fail_at("socket", 1, EMFILE);
    ck_assert_int_eq(sink_open(sink), -EMFILE);
    ck_assert_int_eq(sink->state, SINK_AWAY);
    sink_free(sink);
}
END_TEST

START_TEST(no_standard_error)
{
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), reader, writer, fd;

    ck_assert_int_ge(saved, 0);
    (void)close(STDERR_FILENO);
    fd = stderr_open();
    ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    ck_assert_int_eq(fd, -EBADF);

    /* Opening a named pipe without a reader for writing fails: ENXIO, fifo(7). */
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(reader, 0);
    writer = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(writer, 0);
    (void)close(reader);
    ck_assert_int_eq(dup2(writer, STDERR_FILENO), STDERR_FILENO);
    fd = stderr_open();
    ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    (void)close(writer);
    ck_assert_int_ge(fd, 0);
    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(stderr_write(fd, "x", 1), -EPIPE);
    (void)close(fd);
    (void)close(saved);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("system-calls");
    TCase *cases = tcase_create("system-calls");

    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, listening_survives_failed_calls);
    tcase_add_test(cases, listening_on_ipv6_survives_failed_calls);
    tcase_add_test(cases, removing_a_stale_socket_survives_failed_calls);
    tcase_add_test(cases, checking_a_listener_survives_failed_calls);
    tcase_add_test(cases, loops_survive_failed_calls);
    tcase_add_test(cases, addresses_survive_failed_calls);
    tcase_add_test(cases, entries_survive_failed_calls);
    tcase_add_test(cases, large_entries_survive_failed_calls);
    tcase_add_test(cases, impossible_entries_are_refused);
    tcase_add_loop_test(cases, the_seals_that_journald_asks_for, -1, 3);
    tcase_add_test(cases, no_journal);
    tcase_add_test(cases, no_standard_error);
    suite_add_tcase(suite, cases);
    return suite;
}
