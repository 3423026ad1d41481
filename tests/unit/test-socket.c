/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/socket.h"
#include "runner.h"

static struct sockaddr_any address_of(const char *text)
{
    struct sockaddr_any *all, address;
    struct address parsed;
    const char *error = "";

    ck_assert_int_eq(address_parse(text, &parsed, &error), 0);
    ck_assert_msg(address_resolve(&parsed, AF_UNSPEC, true, &all, &error) == 1, "%s", error);
    address = all[0];
    free(all);
    return address;
}

static int listen_at(const char *text)
{
    struct sockaddr_any address = address_of(text);

    return socket_listen(&address, 16);
}

/* The address that the kernel chose. */
static struct sockaddr_any bound(int fd)
{
    struct sockaddr_any address = { .size = sizeof address.storage };

    ck_assert_int_eq(getsockname(fd, &address.sa, &address.size), 0);
    return address;
}

static int connect_to(const struct sockaddr_any *address)
{
    int fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

    ck_assert_int_ge(fd, 0);
    r = connect(fd, &address->sa, address->size) < 0 ? -errno : 0;
    if (r < 0)
        (void)close(fd);
    return r < 0 ? r : fd;
}

static bool have_ipv6(void)
{
    int fd = listen_at("[::1]:0");

    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

START_TEST(listens_on_tcp)
{
    _cleanup_close_ int fd = listen_at("127.0.0.1:0"), client = -1, accepted = -1;
    struct sockaddr_any address;
    int value = 0;
    socklen_t size = sizeof value;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(accept(fd, NULL, NULL), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(socket_check_listening(fd), 0);

    address = bound(fd);
    ck_assert_uint_ne(sockaddr_port(&address.sa), 0);
    client = connect_to(&address);
    ck_assert_int_ge(client, 0);
    accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(accepted, 0);
    ck_assert_int_eq(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    ck_assert_int_ne(value, 0);
    ck_assert_int_eq(socket_check_listening(accepted), -EINVAL);

    ck_assert_int_eq(socket_listen(&address, 16), -EADDRINUSE);
}
END_TEST

START_TEST(every_address_means_both_families)
{
    _cleanup_close_ int fd = -1, v4 = -1, v6 = -1;
    struct sockaddr_any address;
    char text[64];

    if (!have_ipv6())
        return;
    fd = listen_at(":0");
    ck_assert_int_ge(fd, 0);
    address = bound(fd);
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", sockaddr_port(&address.sa));
    address = address_of(text);
    v4 = connect_to(&address);
    ck_assert_int_ge(v4, 0);
    address = bound(fd);
    (void)snprintf(text, sizeof text, "[::1]:%u", sockaddr_port(&address.sa));
    address = address_of(text);
    v6 = connect_to(&address);
    ck_assert_int_ge(v6, 0);
}
END_TEST

START_TEST(one_ipv6_address_is_ipv6_only)
{
    _cleanup_close_ int fd = -1;
    int value = 0;
    socklen_t size = sizeof value;

    if (!have_ipv6())
        return;
    fd = listen_at("[::1]:0");
    ck_assert_int_eq(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &size), 0);
    ck_assert_int_eq(value, 1);
}
END_TEST

/* A folder for the sockets of one test. */
static char folder[64];

static char *path_of(const char *name)
{
    static char path[96];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void folder_make(void)
{
    strcpy(folder, "/tmp/answerd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void folder_remove(void)
{
    static const char *const names[] = { "socket", "file", "link", "target" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        (void)unlink(path_of(names[i]));
    (void)rmdir(folder);
}

START_TEST(a_path_left_over_is_replaced)
{
    _cleanup_close_ int again = -1, client = -1;
    struct sockaddr_any address = address_of(path_of("socket"));
    int fd = socket_listen(&address, 16);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(socket_listen(&address, 16), -EADDRINUSE);
    (void)close(fd);
    again = socket_listen(&address, 16);
    ck_assert_int_ge(again, 0);
    client = connect_to(&address);
    ck_assert_int_ge(client, 0);
}
END_TEST

START_TEST(a_live_server_is_not_replaced)
{
    _cleanup_close_ int fd = listen_at(path_of("socket"));
    struct sockaddr_any address = address_of(path_of("socket"));
    int clients[40], n = 0;

    ck_assert_int_ge(fd, 0);
    /* Nor if the backlog is full, when connecting is refused for a while. */
    for (; n < 40; n++) {
        clients[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(clients[n], &address.sa, address.size) < 0)
            break;
    }
    ck_assert_int_lt(n, 40);
    ck_assert_int_eq(socket_listen(&address, 16), -EADDRINUSE);
    ck_assert_int_eq(access(path_of("socket"), F_OK), 0);
    for (; n >= 0; n--)
        (void)close(clients[n]);
}
END_TEST

START_TEST(what_is_not_a_socket_stays)
{
    _cleanup_close_ int fd = open(path_of("file"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    struct stat st;
    int server;

    ck_assert_int_eq(write(fd, "precious", 8), 8);
    ck_assert_int_eq(listen_at(path_of("file")), -EEXIST);
    ck_assert_int_eq(stat(path_of("file"), &st), 0);
    ck_assert_int_eq(st.st_size, 8);

    /* A link is not followed, even to a stale socket. */
    server = listen_at(path_of("target"));
    ck_assert_int_ge(server, 0);
    (void)close(server);
    ck_assert_int_eq(symlink("target", path_of("link")), 0);
    ck_assert_int_eq(listen_at(path_of("link")), -EEXIST);
    ck_assert_int_eq(lstat(path_of("link"), &st), 0);
    ck_assert(S_ISLNK(st.st_mode));

    ck_assert_int_eq(listen_at(folder), -EISDIR);
}
END_TEST

START_TEST(reports_errors_of_paths)
{
    ck_assert_int_eq(listen_at(path_of("no/such/folder")), -ENOENT);
}
END_TEST

START_TEST(listens_on_abstract_names)
{
    _cleanup_close_ int fd = -1;
    struct sockaddr_any address;
    char name[96];

    (void)snprintf(name, sizeof name, "@%s", folder);
    address = address_of(name);
    fd = socket_listen(&address, 16);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(socket_listen(&address, 16), -EADDRINUSE);
    ck_assert_int_eq(socket_check_listening(fd), 0);
}
END_TEST

START_TEST(refuses_what_is_no_listening_stream)
{
    int pipe_fds[2], stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                     datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    ck_assert_int_eq(socket_check_listening(pipe_fds[0]), -ENOTSOCK);
    ck_assert_int_eq(socket_check_listening(stream), -EINVAL);
    ck_assert_int_eq(socket_check_listening(datagram), -ESOCKTNOSUPPORT);
    socket_set_nodelay(datagram);
    (void)close(stream);
    (void)close(datagram);
    ck_assert_int_eq(socket_check_listening(datagram), -EBADF);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("socket");
    TCase *cases = tcase_create("socket");

    tcase_add_checked_fixture(cases, folder_make, folder_remove);
    tcase_add_test(cases, listens_on_tcp);
    tcase_add_test(cases, every_address_means_both_families);
    tcase_add_test(cases, one_ipv6_address_is_ipv6_only);
    tcase_add_test(cases, a_path_left_over_is_replaced);
    tcase_add_test(cases, a_live_server_is_not_replaced);
    tcase_add_test(cases, what_is_not_a_socket_stays);
    tcase_add_test(cases, reports_errors_of_paths);
    tcase_add_test(cases, listens_on_abstract_names);
    tcase_add_test(cases, refuses_what_is_no_listening_stream);
    suite_add_tcase(suite, cases);
    return suite;
}
