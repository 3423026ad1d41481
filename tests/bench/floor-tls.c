/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The floor for TLS: an echo on OpenSSL and epoll, with OpenSSL's own BIO on the socket. It is
 * floor.c with TLS. The settings of the SSL_CTX are those of answerd (src/net/openssl.c).
 *
 * A message costs one read(), one write() and its share of an epoll_wait(): reading ahead takes the
 * header and the rest of a record at once, and a read that did not fill the buffer of OpenSSL has
 * emptied the socket (epoll(7)). OpenSSL tells how much it has read (BIO_number_read(3)), so no
 * read() has to return EAGAIN.
 *
 * usage: floor-tls CERTIFICATE KEY
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define ENDED       (EPOLLRDHUP | EPOLLHUP | EPOLLERR)
#define BUFFER_SIZE SSL3_RT_MAX_PLAIN_LENGTH /* of OpenSSL for reading, at least */

/* The listener has no SSL. A connection's own is all that it has. */
static int epoll_fd;
static SSL_CTX *context;
static char bytes[128 * 1024];

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void die_of_openssl(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, ERR_reason_error_string(ERR_peek_last_error()));
    exit(EXIT_FAILURE);
}

static void watch(int fd, SSL *ssl, uint32_t events)
{
    struct epoll_event event = { .events = events | EPOLLET, .data.ptr = ssl };

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static void accept_all(int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        SSL *ssl = SSL_new(context);

        if (!ssl || SSL_set_fd(ssl, fd) != 1)
            die_of_openssl("SSL_new");
        SSL_set_accept_state(ssl);
        watch(fd, ssl, EPOLLIN | EPOLLRDHUP);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        die("accept4");
}

/* error: of SSL_get_error(3). After a failure nothing may be sent, not even close_notify. */
static void end(SSL *ssl, int error)
{
    int fd = SSL_get_fd(ssl);

    if (error != SSL_ERROR_SSL && error != SSL_ERROR_SYSCALL)
        (void)SSL_shutdown(ssl);
    ERR_clear_error();
    SSL_free(ssl);
    (void)close(fd);
}

static void echo(SSL *ssl, uint32_t events)
{
    BIO *bio = SSL_get_rbio(ssl);
    uint64_t before;
    bool had;

    do {
        int n, error;

        had = SSL_has_pending(ssl);
        before = BIO_number_read(bio);
        n = SSL_read(ssl, bytes, sizeof bytes);
        error = n > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, n);
        if (error == SSL_ERROR_WANT_READ)
            return;
        /* It keeps no unsent bytes: a peer that does not take its replies is cut off. */
        if (n > 0 && SSL_write(ssl, bytes, n) != n)
            error = SSL_ERROR_SYSCALL;
        if (error != SSL_ERROR_NONE) {
            end(ssl, error);
            return;
        }
    } while (events & ENDED || had || SSL_has_pending(ssl) ||
             BIO_number_read(bio) - before >= BUFFER_SIZE);
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) < 0 ||
        bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        die("listen");
    (void)fprintf(stderr, "listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
    return fd;
}

static void make_context(const char *certificate, const char *key)
{
    context = SSL_CTX_new(TLS_server_method());
    if (!context)
        die_of_openssl("SSL_CTX_new");
    SSL_CTX_set_read_ahead(context, 1);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* Tickets need no cache. */
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(context, 1);
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        die_of_openssl(certificate);
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        die_of_openssl(key);
}

static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    static struct epoll_event events[256];
    int listener;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: floor-tls CERTIFICATE KEY\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* the BIO calls write(2) */
    raise_limit();
    make_context(argv[1], argv[2]);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        die("epoll_create1");
    listener = listen_on_loopback();
    watch(listener, NULL, EPOLLIN);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, 256, -1);

        if (n < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (!events[i].data.ptr)
                accept_all(listener);
            else
                echo(events[i].data.ptr, events[i].events);
        }
    }
}
