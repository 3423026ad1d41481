/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"
#include "journal/entry.h"
#include "journal/sink.h"

/*
 * journald's native socket: one entry, one datagram. The socket is connected, since only then does
 * the kernel report when there is room again: for an unconnected one EPOLLOUT speaks of its own
 * send buffer alone (unix(7), unix_dgram_poll()). When the peer goes away, sending says
 * ECONNREFUSED and then ENOTCONN: a new socket is needed.
 */

#define SEND_AT_ONCE 64
#define LARGE        ((size_t)64 * 1024)
#define SNDBUF_SIZE  (8 * 1024 * 1024) /* as sd_journal_send(3) asks; the kernel limits it */

static int journal_address(const char *path, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (!path)
        path = SINK_JOURNAL_SOCKET;
    if (strlen(path) >= sizeof ret->sun_path)
        return -ENAMETOOLONG;
    strcpy(ret->sun_path, path);
    return 0;
}

bool sink_journal_exists(const char *path)
{
    return access(path ?: SINK_JOURNAL_SOCKET, F_OK) == 0;
}

static int journal_open(struct sink *s)
{
    _cleanup_close_ int fd = -EBADF;
    struct sockaddr_un address;
    int r;

    r = journal_address(s->path, &address);
    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    /* More entries in flight; without it the send buffer is full before the journal's queue is. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ SNDBUF_SIZE }, sizeof(int));
    return STEAL_FD(fd);
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

/* A file in memory, sealed so that journald may trust that it stays as it is; or a negative errno.
 */
static int large_file(const uint8_t *entry, size_t size)
{
    _cleanup_close_ int fd = -EBADF;
    int r;

    fd = memfd_create("answerd-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    r = write_all(fd, entry, size);
    if (r < 0)
        return r;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return -errno;
    return STEAL_FD(fd);
}

/* Whether trying again may help. */
static bool passes(int error)
{
    switch (error) {
    case -EINTR:
    case -ENOBUFS:
    case -ENOMEM:
    case -EMFILE:
    case -ENFILE:
    case -ENOSPC:
        return true;
    default:
        return false;
    }
}

/* An entry too large for a datagram goes as a file, with an empty datagram. Where there is no room
 * for that, the file is kept, as the oldest entry's: see journal_send(). */
static ssize_t send_large(struct sink *s, const uint8_t *entry, size_t size)
{
    union {
        struct cmsghdr header;
        uint8_t space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof control };
    struct cmsghdr *cmsg = &control.header;

    if (s->large_fd < 0) {
        int fd = large_file(entry, size);

        if (fd < 0 && !passes(fd)) {
            s->refusal = fd;
            return -EBADMSG;
        }
        if (fd < 0)
            return fd;
        s->large_fd = fd;
    }

    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &s->large_fd, sizeof s->large_fd);
    if (sendmsg(s->fd, &message, MSG_NOSIGNAL) < 0)
        return -errno;
    s->large_fd = close_fd(s->large_fd);
    return 1;
}

static ssize_t journal_send(struct sink *s, size_t first, size_t n)
{
    struct mmsghdr messages[SEND_AT_ONCE];
    struct iovec vectors[SEND_AT_ONCE];
    uint8_t *bytes = buffer_head(s->bytes);
    size_t start = first > 0 ? s->ends[first - 1] : 0, at = start;
    int sent;

    n = MIN(n, (size_t)SEND_AT_ONCE);
    for (size_t i = 0; i < n; i++) {
        size_t end = s->ends[first + i];

        vectors[i] = (struct iovec){ bytes + at, end - at };
        at = end;
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1 };
    }
    sent = sendmmsg(s->fd, messages, (unsigned)n, MSG_NOSIGNAL);
    /* A datagram is one piece of the kernel's memory, which has none above 4 MiB: ENOBUFS, and so
     * for ever, where the send buffer would allow it. */
    if (sent < 0 && (errno == EMSGSIZE || (errno == ENOBUFS && s->ends[first] - start >= LARGE)))
        return send_large(s, bytes + start, s->ends[first] - start);
    if (sent < 0)
        return -errno;
    /* Once memory was short, an entry that was a file before may go as a datagram. The file must
     * not stay for the next one. */
    s->large_fd = close_fd(s->large_fd);
    return sent;
}

static const struct sink_kind journal_kind = {
    .open = journal_open,
    .encode = entry_record,
    .send = journal_send,
};

void sink_init_journal(struct sink *s, const char *path)
{
    *s = (struct sink){
        .kind = &journal_kind, .path = path, .fd = -1, .large_fd = -1, .state = SINK_AWAY
    };
}
