/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "ask/stream.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/parse.h"
#include "net/socket.h"

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -errno;
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/*
 * Blocks in connect(), limited by SO_SNDTIMEO, instead of using poll(). A non-blocking connect() to
 * a UNIX socket with a full backlog fails with EAGAIN, and there is nothing to poll for (unix(7),
 * connect(2)).
 */
static int connect_one(const struct sockaddr_any *address, uint64_t timeout_us)
{
    _cleanup_close_ int fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = { 0 }; /* no limit */
    int r;

    if (fd < 0)
        return -errno;
    if (timeout_us != SPAN_INFINITY)
        timeout = (struct timeval){
            .tv_sec = (time_t)(timeout_us / 1000000),
            .tv_usec = (suseconds_t)(timeout_us % 1000000),
        };
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) < 0)
        return -errno;
    if (connect(fd, &address->sa, address->size) < 0)
        /* The errors of a timeout, for TCP and UNIX sockets (socket(7)). */
        return errno == EINPROGRESS || errno == EAGAIN ? -ETIMEDOUT : -errno;
    socket_set_nodelay(fd);
    r = set_nonblocking(fd);
    if (r < 0)
        return r;
    return STEAL_FD(fd);
}

/* "cannot connect: REASON"; or, with several addresses or one that the user did not write, "cannot
 * connect to ADDRESS: REASON, ADDRESS: REASON". reason: of the only one; NULL: as `errors` say. */
static char *describe(const struct address *address, const struct sockaddr_any *all,
                      const int *errors, int n, const char *reason)
{
    char text[ADDRESS_TEXT_MAX], asked[ADDRESS_TEXT_MAX];
    char *line = NULL;
    size_t size;
    FILE *f = open_memstream(&line, &size);

    if (!f)
        return NULL;
    (void)snprintf(asked, sizeof asked, strchr(address->host, ':') ? "[%s]:%s" : "%s:%s",
                   address->host, address->port);
    if (n == 1 && (address->family == AF_UNIX ||
                   strcmp(address_format(&all[0].sa, all[0].size, text), asked) == 0)) {
        (void)fprintf(f, "cannot connect: %s", reason ?: strerror(-errors[0]));
    } else {
        (void)fprintf(f, "cannot connect to ");
        for (int i = 0; i < n; i++)
            (void)fprintf(f, "%s%s: %s", i > 0 ? ", " : "",
                          address_format(&all[i].sa, all[i].size, text),
                          reason ?: strerror(-errors[i]));
    }
    if (fclose(f) != 0) {
        free(line);
        return NULL;
    }
    return line;
}

static int resolve_failed(int r, const char *reason, char **ret_error)
{
    char *line = NULL;

    if (asprintf(&line, "cannot look up the host name: %s", reason ? reason : strerror(-r)) < 0)
        line = NULL;
    *ret_error = line;
    return r;
}

/* until_us: UINT64_MAX: forever. 0, -ETIMEDOUT or another negative errno. */
static int await(const struct stream *c, uint64_t until_us)
{
    struct pollfd fd = { .fd = c->fd, .events = stream_waits_for(c) };
    uint64_t now = clock_us(CLOCK_MONOTONIC), us = until_us > now ? until_us - now : 0;
    struct timespec timeout = { (time_t)(us / 1000000), (long)(us % 1000000 * 1000) };
    int n = ppoll(&fd, 1, until_us == UINT64_MAX ? NULL : &timeout, NULL);

    if (n < 0 && errno != EINTR)
        return -errno;
    return n == 0 ? -ETIMEDOUT : 0;
}

static char *describe_handshake(const struct stream *c, int r, const char *reason,
                                uint64_t timeout_us)
{
    char span[SPAN_TEXT_MAX], *line = NULL;
    int n;

    if (r == -EPROTO)
        return tls_client_explain(c->client, c->tls, reason);
    if (r == -ETIMEDOUT)
        n = asprintf(&line, "no TLS handshake within %s; the server may not speak TLS",
                     format_span(timeout_us, span));
    else
        n = asprintf(&line, "%s in the TLS handshake", strerror(-r));
    return n < 0 ? NULL : line;
}

/* 0; or a negative errno and *ret_reason, to free, which is NULL if memory is short. */
static int shake_hands(struct stream *c, struct tls_client *client, bool is_unix, uint64_t start_us,
                       uint64_t timeout_us, char **ret_reason)
{
    const char *reason = NULL;
    uint64_t until_us;
    int r;

    c->source = (struct source){ .fd = c->fd };
    c->client = client;
    c->tls = tls_client_connect(client, &c->source, is_unix);
    if (!c->tls)
        return -ENOMEM;
    if (timeout_us == SPAN_INFINITY || __builtin_add_overflow(start_us, timeout_us, &until_us))
        until_us = UINT64_MAX;
    do {
        c->source.ready = TLS_READY_ALL;
        r = tls_handshake(c->tls, &reason);
        if (r != -EAGAIN)
            break;
        r = await(c, until_us);
    } while (r == 0);
    /* The server's first words may have come with the end of the handshake. */
    c->more = true;
    if (r < 0)
        *ret_reason = describe_handshake(c, r, reason, timeout_us);
    return r;
}

/* Connects to one address. 0; or a negative errno, and *ret_reason if it was the handshake. */
static int open_one(struct stream *c, const struct sockaddr_any *address, uint64_t timeout_us,
                    struct tls_client *client, char **ret_reason)
{
    uint64_t start_us = clock_us(CLOCK_MONOTONIC);
    struct stream new = { .receive_waits = POLLIN, .send_waits = POLLOUT };
    int r = 0;

    new.fd = connect_one(address, timeout_us);
    if (new.fd < 0)
        return new.fd;
    if (client)
        r = shake_hands(&new, client, address->sa.sa_family == AF_UNIX, start_us, timeout_us,
                        ret_reason);
    if (r < 0) {
        stream_close(&new);
        return r;
    }
    (void)address_format(&address->sa, address->size, new.peer);
    *c = (struct stream){ .fd = -1 };
    stream_take(c, &new);
    return 0;
}

/* Tries the addresses in order, and stops at one whose handshake fails. errors: of each. 0, or the
 * negative errno of the last one. */
static int open_first(struct stream *c, const struct address *address,
                      const struct sockaddr_any *all, int *errors, int n, uint64_t timeout_us,
                      struct tls_client *client, char **ret_error)
{
    _cleanup_free_ char *handshake = NULL;

    for (int i = 0; i < n; i++) {
        errors[i] = open_one(c, &all[i], timeout_us, client, &handshake);
        if (errors[i] == 0)
            return 0;
        if (handshake) {
            *ret_error = describe(address, &all[i], NULL, 1, handshake);
            return errors[i];
        }
    }
    *ret_error = describe(address, all, errors, n, NULL);
    return errors[n - 1];
}

int stream_open(struct stream *c, const struct address *address, int family, uint64_t timeout_us,
                struct tls_client *client, char **ret_error)
{
    _cleanup_free_ struct sockaddr_any *all = NULL;
    _cleanup_free_ int *errors = NULL;
    const char *reason = NULL;
    int n;

    n = address_resolve(address, family, false, &all, &reason);
    if (n < 0)
        return resolve_failed(n, reason, ret_error);
    errors = calloc((size_t)n, sizeof *errors);
    if (!errors)
        return resolve_failed(-ENOMEM, NULL, ret_error);
    return open_first(c, address, all, errors, n, timeout_us, client, ret_error);
}
