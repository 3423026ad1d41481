/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/address.h"
#include "runner.h"
#include "tls-stand.h"

static struct tls_files files;
static int listener;
int sockets[TLS_STAND_CLIENTS];
struct tls_peer peers[TLS_STAND_CLIENTS];
const int versions[2] = { TLS1_2_VERSION, TLS1_3_VERSION };

void tls_stand_make_files(void)
{
    tls_files_make(&files);
}

void tls_stand_remove_files(void)
{
    tls_files_remove(&files);
}

static void use_tls(void)
{
    struct tls_pair pair = { files.certificate, files.key };
    struct tls_settings settings = {
        .pairs = &pair,
        .n_pairs = 1,
        .handshake_ms = 10000,
        .max_handshakes = 1000,
    };
    struct tls_error error;

    ck_assert_msg(tls_server_new(&settings, &stand.settings->tls, &error) == 0, "%s", error.text);
    stand.settings->handshake_ms = settings.handshake_ms;
    stand.settings->max_handshakes = settings.max_handshakes;
}

/* A UNIX socket: what is sent has arrived at once. */
static int listen_unix(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    ck_assert_int_ge(fd, 0);
    /* The kernel chooses an abstract name (unix(7)). */
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(listen(fd, 1024), 0);
    return fd;
}

static int dial_unix(void)
{
    struct sockaddr_any address = { .size = sizeof address.storage };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(getsockname(listener, &address.sa, &address.size), 0);
    ck_assert_int_eq(connect(fd, &address.sa, address.size), 0);
    return fd;
}

void tls_stand_setup(void)
{
    struct worker_plan *plan = calloc(1, sizeof *plan + sizeof(struct acceptor *));

    stand_begin(&stand, 1);
    use_tls();
    counters = &stand.contexts[0]->counters;
    listener = listen_unix();
    ck_assert_ptr_nonnull(plan);
    plan->n = 1;
    plan->acceptors[0] = acceptor_new(listener, "here", stand.settings);
    ck_assert_ptr_nonnull(plan->acceptors[0]);
    worker_send_plan(stand.workers[0], plan);
    worker_turn(stand.workers[0]);
    for (int i = 0; i < TLS_STAND_CLIENTS; i++)
        sockets[i] = -1;
}

void tls_stand_hang_up(int i)
{
    sockets[i] = close_fd(sockets[i]);
    tls_peer_end(&peers[i]);
}

void tls_stand_teardown(void)
{
    for (int i = 0; i < TLS_STAND_CLIENTS; i++)
        tls_stand_hang_up(i);
    stand_end(&stand);
    listener = close_fd(listener);
}

void tls_stand_dial(int i, int version)
{
    tls_stand_hang_up(i);
    sockets[i] = dial_unix();
    tls_peer_begin(&peers[i], version);
}

void tls_stand_send(int i, const unsigned char *bytes, size_t n)
{
    ck_assert_int_eq(send(sockets[i], bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

void tls_stand_transmit(int i, size_t cut)
{
    const unsigned char *bytes;
    size_t n = tls_peer_takes(&peers[i], &bytes);

    if (cut > 0 && cut < n) {
        tls_stand_send(i, bytes, cut);
        (void)stand_run(&stand);
        bytes += cut;
        n -= cut;
    }
    if (n > 0)
        tls_stand_send(i, bytes, n);
    (void)stand_run(&stand);
    (void)tls_peer_hears(&peers[i], sockets[i]);
}

void tls_stand_shake(int i, size_t cut)
{
    for (int steps = 0; !tls_peer_shakes(&peers[i]); steps++) {
        ck_assert_int_lt(steps, 5);
        tls_stand_transmit(i, cut);
    }
}

void tls_stand_check_gone(int i)
{
    (void)stand_run(&stand);
    ck_assert(!tls_peer_hears(&peers[i], sockets[i]));
    ck_assert_uint_eq(atomic_load(&stand.contexts[0]->n_connections), 0);
    ck_assert_ptr_null(stand.contexts[0]->prefaces);
}

void tls_stand_transmit_only(int i)
{
    const unsigned char *bytes;
    size_t n = tls_peer_takes(&peers[i], &bytes);

    (void)send(sockets[i], bytes, n, MSG_NOSIGNAL);
    (void)stand_run(&stand);
}
