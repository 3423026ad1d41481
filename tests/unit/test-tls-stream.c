/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "random.h"
#include "runner.h"
#include "tls-stand.h"

#define RECORDS 16

START_TEST(cut_anywhere)
{
    const unsigned char *bytes;
    size_t longest = 0, n;

    tls_peer_begin(&peers[0], versions[_i]);
    (void)tls_peer_shakes(&peers[0]);
    longest = tls_peer_takes(&peers[0], &bytes) + 1;
    for (n = 1; n < longest; n++) {
        tls_stand_dial(0, versions[_i]);
        tls_stand_shake(0, n);
        tls_peer_says(&peers[0], "one\ntwo\n");
        tls_stand_transmit(0, n);
        ck_assert_str_eq(tls_peer_received(&peers[0]), "one\ntwo\n");
        tls_peer_says(&peers[0], "three\n");
        (void)SSL_shutdown(peers[0].ssl);
        tls_stand_transmit(0, n);
        ck_assert_str_eq(tls_peer_received(&peers[0]), "three\n$");
        tls_stand_check_gone(0);
        ck_assert_uint_eq(counter_get(&counters->accepted), n);
    }
    ck_assert_uint_eq(hooks.logged[EVENT_TLS_REFUSED], 0);
    ck_assert_uint_eq(counter_get(&counters->messages), 3 * (n - 1));
}
END_TEST

START_TEST(byte_by_byte)
{
    const unsigned char *bytes;
    size_t n;

    tls_stand_dial(0, versions[_i]);
    tls_stand_shake(0, 1);
    for (const char *c = "a\nbc\n"; *c; c++)
        tls_peer_says(&peers[0], (char[]){ *c, '\0' });
    n = tls_peer_takes(&peers[0], &bytes);
    for (size_t j = 0; j < n; j++) {
        tls_stand_send(0, bytes + j, 1);
        (void)stand_run(&stand);
    }
    (void)tls_peer_hears(&peers[0], sockets[0]);
    ck_assert_str_eq(tls_peer_received(&peers[0]), "a\nbc\n");
}
END_TEST

/* A stream without close_notify may have been cut by anybody. */
START_TEST(only_a_close_notify_ends_a_last_message)
{
    for (int orderly = 0; orderly < 2; orderly++) {
        tls_stand_dial(0, versions[_i]);
        tls_stand_shake(0, 0);
        tls_peer_says(&peers[0], "whole\npart");
        if (orderly)
            (void)SSL_shutdown(peers[0].ssl);
        tls_stand_transmit(0, 0);
        ck_assert_int_eq(shutdown(sockets[0], SHUT_WR), 0);
        (void)stand_run(&stand);
        (void)tls_peer_hears(&peers[0], sockets[0]);
        ck_assert_str_eq(tls_peer_received(&peers[0]), orderly ? "whole\npart\n$" : "whole\n$");
        tls_stand_check_gone(0);
        ck_assert_uint_eq(counter_get(&counters->messages), orderly ? 3 : 1);
    }
}
END_TEST

/* False: the worker has closed. */
static bool renew_keys(int i)
{
    const unsigned char *bytes;
    size_t n;

    ck_assert_int_eq(SSL_key_update(peers[i].ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    ck_assert_int_eq(SSL_do_handshake(peers[i].ssl), 1);
    n = tls_peer_takes(&peers[i], &bytes);
    if (send(sockets[i], bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
        return false;
    (void)stand_run(&stand);
    return true;
}

/* A peer that asks for new keys has to be answered, even if it takes nothing. */
START_TEST(key_updates_without_end)
{
    unsigned n = 0;

    tls_stand_dial(0, TLS1_3_VERSION);
    tls_stand_shake(0, 0);
    tls_stand_transmit(0, 0);
    while (n < 2000 && renew_keys(0))
        n++;
    ck_assert_uint_le(n, 32);
    ck_assert_uint_eq(hooks.logged[EVENT_PROTOCOL_ERROR], 1);
    ck_assert_ptr_nonnull(strstr(hooks.last_logged, "too many handshake messages"));
    ck_assert_uint_eq(counter_get(&counters->protocol_errors), 1);
    tls_stand_check_gone(0);
}
END_TEST

START_TEST(key_updates_with_data_between)
{
    tls_stand_dial(0, TLS1_3_VERSION);
    tls_stand_shake(0, 0);
    tls_stand_transmit(0, 0);
    for (int i = 0; i < 100; i++) {
        for (int j = 0; j < 20; j++)
            ck_assert(renew_keys(0));
        tls_peer_says(&peers[0], "x\n");
        tls_stand_transmit(0, 0);
        ck_assert_str_eq(tls_peer_received(&peers[0]), "x\n");
    }
    ck_assert_uint_eq(hooks.logged[EVENT_PROTOCOL_ERROR], 0);
}
END_TEST

/* OpenSSL reads as much as its buffer holds. It returns behind new keys if they were the last in
 * it. The socket may have more then, and owes no edge. */
START_TEST(new_keys_where_a_read_ends)
{
    char text[17000];

    for (size_t size = 16600; size < 16700; size++) {
        const unsigned char *bytes;
        size_t n;

        memset(text, 'x', size);
        text[size] = '\0';
        tls_stand_dial(0, TLS1_3_VERSION);
        tls_stand_shake(0, 0);
        tls_stand_transmit(0, 0);
        tls_peer_says(&peers[0], text);
        ck_assert_int_eq(SSL_key_update(peers[0].ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        ck_assert_int_eq(SSL_do_handshake(peers[0].ssl), 1);
        tls_peer_says(&peers[0], "\n");
        n = tls_peer_takes(&peers[0], &bytes);
        tls_stand_send(0, bytes, n);
        (void)stand_run(&stand);
        (void)tls_peer_hears(&peers[0], sockets[0]);
        ck_assert_msg(strlen(tls_peer_received(&peers[0])) == size + 1, "%zu", size);
    }
}
END_TEST

START_TEST(no_renegotiation)
{
    tls_stand_dial(0, TLS1_2_VERSION);
    tls_stand_shake(0, 0);
    tls_stand_transmit(0, 0);
    ck_assert_int_eq(SSL_renegotiate(peers[0].ssl), 1);
    (void)SSL_do_handshake(peers[0].ssl);
    tls_stand_transmit(0, 0);
    ck_assert_str_eq(tls_peer_received(&peers[0]), "!");
    ck_assert_uint_eq(counter_get(&counters->accepted), 1);
}
END_TEST

/* A record may be longer than a message, and none of it can be taken before its end. */
START_TEST(an_unfinished_record_has_a_deadline)
{
    const unsigned char *bytes;
    size_t n;

    stand.settings->message_ms = 1000;
    tls_stand_dial(0, versions[_i]);
    tls_stand_shake(0, 0);
    tls_stand_transmit(0, 0);
    /* A byte in time is not enough. */
    tls_peer_says(&peers[0], "x\n");
    n = tls_peer_takes(&peers[0], &bytes);
    tls_stand_send(0, bytes, n - 2);
    (void)stand_run(&stand);
    stand_pass(&stand, 600);
    tls_stand_send(0, bytes + n - 2, 1);
    (void)stand_run(&stand);
    stand_pass(&stand, 399);
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 0);
    stand_pass(&stand, 2);
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 1);
    (void)tls_peer_hears(&peers[0], sockets[0]);
    ck_assert_str_eq(tls_peer_received(&peers[0]), "error: message not complete in time\n$");
    tls_stand_hang_up(0);
    stand_pass(&stand, 5000);
    ck_assert_uint_eq(atomic_load(&stand.contexts[0]->n_connections), 0);
}
END_TEST

/* Nobody is cut off who has a part of the next record behind each whole one. */
START_TEST(a_stream_that_goes_on_is_not_late)
{
    unsigned char all[4096];
    const unsigned char *bytes;
    size_t n = 0, at = 0;

    stand.settings->message_ms = 1000;
    tls_stand_dial(0, versions[_i]);
    tls_stand_shake(0, 0);
    tls_stand_transmit(0, 0);
    for (int i = 0; i < 20; i++)
        tls_peer_says(&peers[0], "x\n");
    n = tls_peer_takes(&peers[0], &bytes);
    ck_assert_uint_le(n, sizeof all);
    memcpy(all, bytes, n);
    for (size_t step = n / 20 + 1; at < n; at += step) {
        tls_stand_send(0, all + at, step < n - at ? step : n - at);
        (void)stand_run(&stand);
        stand_pass(&stand, 900);
    }
    ck_assert_uint_eq(hooks.logged[EVENT_TIMEOUT], 0);
    ck_assert_uint_eq(counter_get(&counters->messages), 20);
}
END_TEST

/* The end of the stream waits for room, like all before it. */
START_TEST(a_close_notify_without_room)
{
    unsigned waited = 0;
    struct connection *c;
    char line[8192];

    for (size_t size = 1000; size < sizeof line; size += 97) {
        memset(line, 'x', size - 1);
        strcpy(line + size - 1, "\n");
        tls_stand_dial(0, versions[_i]);
        tls_stand_shake(0, 0);
        tls_stand_transmit(0, 0);
        c = stand_last(&stand, 0);
        ck_assert_int_eq(
            setsockopt(c->transport.source.fd, SOL_SOCKET, SO_SNDBUF, &(int){ 1 }, sizeof(int)), 0);
        for (int i = 0; i < 10; i++) {
            tls_peer_says(&peers[0], line);
            tls_stand_transmit_only(0);
        }
        (void)SSL_shutdown(peers[0].ssl);
        tls_stand_transmit_only(0);
        for (int i = 0; i < 1000 && tls_peer_hears(&peers[0], sockets[0]); i++) {
            (void)stand_run(&stand);
            c = stand_last(&stand, 0);
            waited += c && c->transport.owner_flags & CONNECTION_ENDING;
        }
        ck_assert_uint_eq(strlen(tls_peer_received(&peers[0])), 10 * size + 1);
        tls_stand_check_gone(0);
    }
    ck_assert_uint_gt(waited, 0);
}
END_TEST

/* The sizes of the records in a stream. Returns their number. */
static size_t split(const unsigned char *bytes, size_t n, size_t sizes[static RECORDS])
{
    size_t count = 0;

    for (size_t at = 0; at < n; at += sizes[count++]) {
        ck_assert_uint_lt(count, RECORDS);
        sizes[count] = 5 + ((size_t)bytes[at + 3] << 8 | bytes[at + 4]);
    }
    return count;
}

/* Sends records 0 to n - 1, with one fault at record `at`. Returns how many are good. */
static size_t send_damaged(int i, const unsigned char *bytes, const size_t *sizes, size_t n,
                           size_t at, uint64_t *random)
{
    enum { LOST, TWICE, SWAPPED, FLIPPED, CUT, FAULTS };
    unsigned fault = (unsigned)random_below(random, FAULTS);
    unsigned char damaged[20 * 1024];

    for (size_t r = 0; r < n; bytes += sizes[r++]) {
        size_t size = sizes[r];

        ck_assert_uint_le(size, sizeof damaged);
        memcpy(damaged, bytes, size);
        if (r == at && fault == FLIPPED)
            damaged[5 + random_below(random, size - 5)] ^=
                (unsigned char)(1 << random_next(random) % 8);
        if (r == at && fault == CUT)
            size = random_below(random, size);
        if (r == at && fault == SWAPPED && r + 1 < n)
            (void)send(sockets[i], bytes + size, sizes[r + 1], MSG_NOSIGNAL);
        if (r != at || fault != LOST)
            (void)send(sockets[i], damaged, size, MSG_NOSIGNAL);
        if (r == at && fault == TWICE)
            (void)send(sockets[i], damaged, size, MSG_NOSIGNAL);
        if (random_next(random) % 2)
            (void)stand_run(&stand);
    }
    (void)shutdown(sockets[i], SHUT_WR);
    (void)stand_run(&stand);
    return at + (fault == TWICE);
}

/* The messages before the damage are taken, and no other. Replies that are not sent yet are lost. */
START_TEST(damaged_records)
{
    uint64_t random = (uint64_t)_i + 1;

    for (int round = 0; round < 200; round++) {
        uint64_t before = counter_get(&counters->messages);
        const unsigned char *bytes;
        const char *received;
        size_t sizes[RECORDS], n, at, good;
        char expected[RECORDS * 4] = "";

        tls_stand_dial(0, versions[_i]);
        tls_stand_shake(0, 0);
        tls_stand_transmit(0, 0);
        for (int m = 0; m < 8; m++)
            tls_peer_says(&peers[0], (char[]){ (char)('a' + m), '\n', '\0' });
        n = tls_peer_takes(&peers[0], &bytes);
        n = split(bytes, n, sizes);
        at = random_below(&random, n - 1);
        good = send_damaged(0, bytes, sizes, n, at, &random);
        (void)tls_peer_hears(&peers[0], sockets[0]);
        for (size_t m = 0; m < good; m++)
            memcpy(expected + 2 * m, (char[]){ (char)('a' + m), '\n', '\0' }, 3);
        ck_assert_uint_eq(counter_get(&counters->messages) - before, good);
        received = tls_peer_received(&peers[0]);
        ck_assert_msg(strncmp(received, expected, strcspn(received, "$!")) == 0, "round %d", round);
        tls_stand_check_gone(0);
    }
}
END_TEST

/* OpenSSL forgives a client that is gone before its ticket. That is no error of the next stream. */
START_TEST(an_error_that_was_forgiven)
{
    const unsigned char *bytes;
    size_t n;

    tls_stand_dial(0, TLS1_3_VERSION);
    (void)tls_peer_shakes(&peers[0]);
    tls_stand_transmit(0, 0);
    ck_assert(tls_peer_shakes(&peers[0]));
    n = tls_peer_takes(&peers[0], &bytes);
    tls_stand_send(0, bytes, n);
    tls_stand_hang_up(0);
    (void)stand_run(&stand);
    ck_assert_uint_eq(counter_get(&counters->accepted), 1);

    tls_stand_dial(1, TLS1_3_VERSION);
    tls_stand_shake(1, 0);
    tls_stand_transmit(1, 0);
    tls_stand_send(1, (const unsigned char *)"\x17\3\3\0\1x", 6);
    (void)stand_run(&stand);
    ck_assert_uint_eq(hooks.logged[EVENT_PROTOCOL_ERROR], 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tls-stream");
    TCase *cases = tcase_create("tls-stream");

    tcase_add_unchecked_fixture(cases, tls_stand_make_files, tls_stand_remove_files);
    tcase_add_checked_fixture(cases, tls_stand_setup, tls_stand_teardown);
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, cut_anywhere, 0, 2);
    tcase_add_loop_test(cases, byte_by_byte, 0, 2);
    tcase_add_loop_test(cases, only_a_close_notify_ends_a_last_message, 0, 2);
    tcase_add_test(cases, key_updates_without_end);
    tcase_add_test(cases, key_updates_with_data_between);
    tcase_add_test(cases, new_keys_where_a_read_ends);
    tcase_add_test(cases, no_renegotiation);
    tcase_add_loop_test(cases, an_unfinished_record_has_a_deadline, 0, 2);
    tcase_add_loop_test(cases, a_stream_that_goes_on_is_not_late, 0, 2);
    tcase_add_loop_test(cases, a_close_notify_without_room, 0, 2);
    tcase_add_loop_test(cases, damaged_records, 0, 2);
    tcase_add_test(cases, an_error_that_was_forgiven);
    suite_add_tcase(suite, cases);
    return suite;
}
