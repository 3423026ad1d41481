/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"
#include "record/batch.h"
#include "record/entry.h"
#include "record/sink.h"

/*
 * journald's native socket: one datagram per entry. The socket is connected, because only then does
 * the kernel report when there is room again. On an unconnected one, EPOLLOUT is only about its own
 * send buffer (unix(7), unix_dgram_poll()). When the peer goes away, sending fails with
 * ECONNREFUSED, then ENOTCONN: a new socket is needed.
 */

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

#define SEND_AT_ONCE 64
#define LARGE        ((size_t)64 * 1024)
#define SNDBUF_SIZE  (8 * 1024 * 1024) /* like sd_journal_send(3); the kernel limits it */

struct sink_journal {
    struct sink sink;
    const char *path; /* NULL: journald's own */
    struct batch batch;
    int file;         /* an entry too large for a datagram, which waits for room; or -1 */
    uint64_t file_of; /* number of its record */
};

static struct sink_journal *journal_of(struct sink *s)
{
    return CONTAINER_OF(s, struct sink_journal, sink);
}

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

static int journal_open(struct sink *sink)
{
    const struct sink_journal *s = journal_of(sink);
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
    /* More entries in flight. Without this, the send buffer is full before the journal's queue. */
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

/* From a sender that is not root, journald accepts a file only with exactly the four seals below
 * (systemd 252, memfd_get_sealed()). It silently drops any other. If vm.memfd_noexec is 1, the
 * kernel adds a fifth seal, unless the file is made with MFD_EXEC. If it is 2, the kernel refuses
 * that flag. Kernels before 6.3 do not know the flag (memfd_create(2)). */
static int create_file(void)
{
    int fd = memfd_create("answerd-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("answerd-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd < 0 ? -errno : fd;
}

/* A sealed file in memory, since journald accepts only files that cannot change. Returns the
 * descriptor or a negative errno. */
static int large_file(const uint8_t *entry, size_t size)
{
    _cleanup_close_ int fd = -EBADF;
    int r;

    fd = create_file();
    if (fd < 0)
        return fd;
    r = write_all(fd, entry, size);
    if (r < 0)
        return r;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return -errno;
    return STEAL_FD(fd);
}

/* Whether a retry is useless. sink_state_after() has the errors that pass. */
static bool is_final(int error)
{
    switch (error) {
    case -EPERM:
    case -EACCES:
    case -ENOSYS:
    case -EINVAL:
    case -EFBIG:
        return true;
    default:
        return false;
    }
}

static void forget_file(struct sink_journal *s)
{
    s->file = close_fd(s->file);
}

/* Sends an entry too large for a datagram as a file, with an empty datagram. If there is no room
 * for that datagram, the file is kept for the next attempt. By then the entry may fit in a datagram
 * after all. Returns 0 or a negative errno. *ret_error is set if the file can never be made. */
static int send_file(struct sink_journal *s, const uint8_t *entry, size_t size, int *ret_error)
{
    union {
        struct cmsghdr header;
        uint8_t space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof control };
    struct cmsghdr *cmsg = &control.header;

    if (s->file < 0) {
        s->file = large_file(entry, size);
        s->file_of = s->batch.first;
    }
    if (s->file < 0) {
        int r = s->file;

        s->file = -1;
        *ret_error = is_final(r) ? r : 0;
        return r;
    }
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &s->file, sizeof s->file);
    return sendmsg(s->sink.fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Returns the number of datagrams sent, at least 1, or a negative errno. */
static int send_datagrams(struct sink_journal *s)
{
    struct mmsghdr messages[SEND_AT_ONCE];
    struct iovec vectors[SEND_AT_ONCE];
    size_t n = MIN(batch_records(&s->batch), (size_t)SEND_AT_ONCE);
    int sent;

    for (size_t i = 0; i < n; i++) {
        vectors[i].iov_base =
            (void *)batch_record(&s->batch, s->batch.first + i, &vectors[i].iov_len);
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1 };
    }
    sent = sendmmsg(s->sink.fd, messages, (unsigned)n, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

/* Sends some of the oldest records. Returns the number sent, at least 1, or a negative errno. */
static int send_some(struct sink_journal *s, int *ret_error)
{
    const uint8_t *entry;
    size_t size;
    int r;

    r = send_datagrams(s);
    if (r >= 0)
        return r;
    /* The kernel keeps a datagram in one block of memory, and has no block above 4 MiB. Then it
     * always returns ENOBUFS, even if the send buffer has room. */
    entry = batch_record(&s->batch, s->batch.first, &size);
    if (r != -EMSGSIZE && !(r == -ENOBUFS && size >= LARGE))
        return r;
    r = send_file(s, entry, size, ret_error);
    return r < 0 ? r : 1;
}

static size_t journal_submit(struct sink *sink, int *ret_error)
{
    struct sink_journal *s = journal_of(sink);
    size_t done = 0;

    while (batch_records(&s->batch) > 0) {
        int n = send_some(s, ret_error);

        if (n == -EINTR)
            continue;
        if (n < 0 && *ret_error == 0) {
            sink->state = sink_state_after(n);
            break;
        }
        if (s->file >= 0 && s->file_of == s->batch.first)
            forget_file(s);
        batch_leave(&s->batch, n < 0 ? 1 : (size_t)n);
        if (*ret_error < 0)
            break;
        done += (size_t)n;
    }
    return done;
}

static int journal_stage(struct sink *sink, const struct record *record)
{
    struct batch *b = &journal_of(sink)->batch;
    int r = entry_record(&b->bytes, record);

    if (r < 0)
        batch_drop(b);
    else
        batch_keep(b);
    return r;
}

static size_t journal_room(const struct sink *sink)
{
    return batch_room(&journal_of((struct sink *)sink)->batch);
}

static void journal_free(struct sink *sink)
{
    struct sink_journal *s = journal_of(sink);

    forget_file(s);
    batch_free(&s->batch);
    free(s);
}

static const struct sink_ops journal_ops = {
    .open = journal_open,
    .free = journal_free,
    .room = journal_room,
    .stage = journal_stage,
    .submit = journal_submit,
};

struct sink *sink_journal_new(const char *path)
{
    struct sink_journal *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->sink = (struct sink){
        .ops = &journal_ops,
        .state = SINK_AWAY,
        .fd = -1,
        .events = EPOLLOUT,
    };
    s->path = path;
    s->file = -1;
    return &s->sink;
}
