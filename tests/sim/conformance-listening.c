/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conformance.h"

START_TEST(each_connection_is_an_edge_and_the_backlog_is_reported)
{
    int l, e, clients[2], fd;

    ASK(_i);
    l = listening(FAMILY(), 10);
    ck_assert_int_eq(accept4(l, NULL, NULL, 0), -1);
    ck_assert_int_eq(errno, EAGAIN);
    clients[0] = connection_to(l);
    await(l, IN);
    e = watch(l, IN | EPOLLEXCLUSIVE); /* earlier connections */
    ck_assert_uint_eq(edge(e), IN);
    no_edge(e);
    clients[1] = connection_to(l);
    ck_assert_uint_eq(edge(e), IN);
    fd = accepted_from(l);
    no_edge(e);
    send_bytes(clients[0], 3);
    await(fd, IN);
    ck_assert_int_eq(receive(fd, 10), 3);
    (void)accepted_from(l);
    ck_assert_int_eq(accept4(l, NULL, NULL, 0), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(receive(l, 1), FAMILY() == UNIX ? -EINVAL : -ENOTCONN);
    close(clients[0]);
    close(clients[1]);
}
END_TEST

START_TEST(without_a_descriptor_the_connection_stays)
{
    int l, e;

    ASK(_i);
    l = listening(FAMILY(), 10);
    (void)connection_to(l);
    await(l, IN);
    e = watch(l, IN);
    ck_assert_uint_eq(edge(e), IN);
    forbid_descriptors(true);
    ck_assert_int_eq(accept4(l, NULL, NULL, 0), -1);
    ck_assert_int_eq(errno, EMFILE);
    forbid_descriptors(false);
    no_edge(e); /* and no event will report it */
    ck_assert_int_ge(accept4(l, NULL, NULL, 0), 0);
}
END_TEST

START_TEST(a_client_that_is_gone_is_accepted_all_the_same)
{
    int l, fd, client;

    ASK(_i);
    l = listening(FAMILY(), 10);
    client = connection_to(l);
    send_bytes(client, 3);
    close(client);
    let_time_pass();
    fd = accepted_from(l);
    ck_assert_int_eq(receive(fd, 10), 3);
    ck_assert_int_eq(receive(fd, 10), 0);
}
END_TEST

START_TEST(a_unix_backlog_has_one_place_more)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int l, fd;

    ASK(_i);
    l = listening(UNIX, 2);
    for (int i = 0; i < 3; i++)
        (void)connection_to(l);
    ck_assert_int_eq(getsockname(l, (struct sockaddr *)&address, &size), 0);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, size), -1);
    ck_assert_int_eq(errno, EAGAIN);
    (void)accepted_from(l);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, size), 0);
    close(l);
    await(fd, HUP);
    ck_assert_int_eq(receive(fd, 1), -ECONNRESET);
    ck_assert_int_eq(receive(fd, 1), 0);
}
END_TEST

void add_listening_cases(TCase *tc)
{
    ADD_BOTH(tc, each_connection_is_an_edge_and_the_backlog_is_reported);
    ADD_BOTH(tc, without_a_descriptor_the_connection_stays);
    ADD_BOTH(tc, a_client_that_is_gone_is_accepted_all_the_same);
    ADD_UNIX(tc, a_unix_backlog_has_one_place_more);
}
