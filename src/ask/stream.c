/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "ask/stream.h"
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
 * connect to ADDRESS: REASON, ADDRESS: REASON". */
static char *describe(const struct address *address, const struct sockaddr_any *all,
                      const int *errors, int n)
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
        (void)fprintf(f, "cannot connect: %s", strerror(-errors[0]));
    } else {
        (void)fprintf(f, "cannot connect to ");
        for (int i = 0; i < n; i++)
            (void)fprintf(f, "%s%s: %s", i > 0 ? ", " : "",
                          address_format(&all[i].sa, all[i].size, text), strerror(-errors[i]));
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

int stream_open(struct stream *c, const struct address *address, int family, uint64_t timeout_us,
                char **ret_error)
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

    for (int i = 0; i < n; i++) {
        int fd = connect_one(&all[i], timeout_us);

        if (fd >= 0) {
            *c = (struct stream){ .fd = fd };
            (void)address_format(&all[i].sa, all[i].size, c->peer);
            return 0;
        }
        errors[i] = fd;
    }
    *ret_error = describe(address, all, errors, n);
    return errors[n - 1];
}

void stream_close(struct stream *c)
{
    c->fd = close_fd(c->fd);
    buffer_free(&c->out);
}

bool stream_flush(struct stream *c)
{
    bool any = false;

    while (c->send_error == 0 && buffer_size(c->out) > 0) {
        ssize_t n = send(c->fd, buffer_head(c->out), buffer_size(c->out), MSG_NOSIGNAL);

        if (n >= 0) {
            buffer_consume(c->out, (size_t)n);
            any = true;
        } else if (errno == EAGAIN) {
            return any;
        } else if (errno != EINTR) {
            c->send_error = -errno;
        }
    }
    buffer_clear(c->out);
    return any;
}

ssize_t stream_receive(struct stream *c, void *bytes, size_t room)
{
    ssize_t n;

    do
        n = recv(c->fd, bytes, room, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return n;
    if (n < 0 && errno == EAGAIN)
        return -EAGAIN;
    c->ended = true;
    return n < 0 ? -errno : 0;
}
