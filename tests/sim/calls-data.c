/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls that move bytes. */

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/macros.h"
#include "calls.h"
#include "datagram.h"
#include "descriptors.h"
#include "eventfd.h"
#include "fiber.h"
#include "listening.h"
#include "memfile.h"
#include "observer.h"
#include "seed.h"
#include "stream.h"
#include "tcp.h"
#include "terminal.h"
#include "trace.h"
#include "unix.h"

/* At least one byte, if there are any. Only for UNIX sockets and files. TCP returns less than is
 * there only before an urgent byte, so a program may rightly take a short read for the end of the
 * data. */
static size_t shortened(size_t n)
{
    return n > 1 && sim_fault(SIM_SHORT) ? n - sim_below((uint32_t)MIN(n, (size_t)UINT32_MAX)) : n;
}

/* --- receiving --- */

static ssize_t receive_datagram(struct sim_datagram *d, void *bytes, size_t n)
{
    struct sim_message m;
    size_t taken;

    if (!sim_datagram_receive(d, &m))
        return -EAGAIN;
    taken = MIN(n, m.size);
    memcpy(bytes, m.bytes, taken);
    sim_message_free(&m);
    return (ssize_t)taken;
}

static int not_a_stream(const struct sim_file *file)
{
    if (!file->kind->is_socket)
        return -ENOTSOCK;
    return sim_listening_is(file) && sim_listening_is_unix(file) ? -EINVAL : -ENOTCONN;
}

/* One attempt. MSG_TRUNC discards TCP's bytes (tcp(7)). */
static ssize_t receive_now(struct sim_file *file, void *bytes, size_t n, int flags)
{
    struct sim_datagram *d = sim_datagram_of(file);
    struct sim_stream *s = (struct sim_stream *)file;

    if (d)
        return receive_datagram(d, bytes, n);
    if (!sim_stream_is(file))
        return not_a_stream(file);
    if (flags & MSG_TRUNC && s->family == &sim_tcp_family)
        bytes = NULL;
    return flags & MSG_PEEK ? s->family->peek(s, bytes, n) : s->family->recv(s, bytes, n);
}

static ssize_t receive(const char *name, int fd, void *bytes, size_t n, int flags)
{
    struct sim_file *file = sim_call_file(name, fd);
    ssize_t r;

    if (!file)
        return -EBADF;
    if (flags & ~(MSG_DONTWAIT | MSG_TRUNC | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC | MSG_PEEK)) {
        sim_violate("%s() with flags %#x is not part of this world", name, (unsigned)flags);
        return -EINVAL;
    }
    /* A non-blocking socket is interrupted only while another thread holds it. */
    if (sim_fault(SIM_INTERRUPT))
        return -EINTR;
    if (file->kind == &sim_unix_family.kind)
        n = shortened(n);
    do
        r = receive_now(file, bytes, n, flags);
    while (r == -EAGAIN && sim_call_block(file, flags));
    if (r > 0 && bytes)
        sim_trace_bytes(bytes, (uint64_t)r);
    if (r > 0 && !(flags & MSG_PEEK))
        sim_observe(received, file, bytes, (size_t)r);
    return r;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t n, int flags)
{
    if (!sim_world_stands)
        return __real_recv(fd, bytes, n, flags);
    sim_call_enter();
    return sim_call_leave("recv", fd, n, receive("recv", fd, bytes, n, flags));
}

ssize_t __wrap___recv_chk(int fd, void *bytes, size_t n, size_t size, int flags)
{
    return sim_world_stands ? __wrap_recv(fd, bytes, n, flags)
                            : __real___recv_chk(fd, bytes, n, size, flags);
}

ssize_t __wrap_recvfrom(int fd, void *bytes, size_t n, int flags, struct sockaddr *address,
                        socklen_t *size)
{
    if (!sim_world_stands)
        return __real_recvfrom(fd, bytes, n, flags, address, size);
    if (address)
        sim_violate("recvfrom() with an address is not part of this world");
    return __wrap_recv(fd, bytes, n, flags);
}

static ssize_t read_file(int fd, void *bytes, size_t n)
{
    struct sim_file *file = sim_call_file("read", fd);
    ssize_t r;

    if (!file)
        return -EBADF;
    if (file->kind->is_socket)
        return receive("read", fd, bytes, n, 0);
    if (!file->kind->read)
        return -EINVAL;
    if (sim_fault(SIM_INTERRUPT))
        return -EINTR;
    do
        r = file->kind->read(file, bytes, n);
    while (r == -EAGAIN && sim_call_block(file, 0));
    return r;
}

ssize_t __wrap_read(int fd, void *bytes, size_t n)
{
    if (!sim_world_stands)
        return __real_read(fd, bytes, n);
    sim_call_enter();
    return sim_call_leave("read", fd, n, read_file(fd, bytes, n));
}

ssize_t __wrap___read_chk(int fd, void *bytes, size_t n, size_t size)
{
    return sim_world_stands ? __wrap_read(fd, bytes, n) : __real___read_chk(fd, bytes, n, size);
}

/* --- sending --- */

struct sending {
    const void *bytes;
    size_t n;
    int flags;
    struct sim_file *passed;
    const struct sockaddr *address;
    socklen_t address_size;
};

static ssize_t send_datagram(struct sim_datagram *d, const struct sending *s)
{
    int r = 0;

    if (sim_fault(SIM_NO_KERNEL))
        r = sim_below(2) > 0 ? -ENOMEM : -ENOBUFS;
    if (r == 0)
        r = sim_datagram_send(d, s->bytes, s->n, s->passed, s->address, s->address_size);
    return r < 0 ? r : (ssize_t)s->n;
}

static ssize_t send_now(struct sim_file *file, const struct sending *s)
{
    struct sim_datagram *d = sim_datagram_of(file);
    struct sim_stream *stream = (struct sim_stream *)file;

    if (d)
        return send_datagram(d, s);
    if (!sim_stream_is(file))
        return file->kind->is_socket ? -ENOTCONN : -ENOTSOCK;
    if (stream->family == &sim_unix_family && sim_fault(SIM_NO_KERNEL))
        return -ENOBUFS;
    return stream->family->send(stream, s->bytes, s->n, s->flags, s->passed);
}

/* If a passed file is not taken over, its reference is dropped. */
static ssize_t transmit(const char *name, int fd, struct sending *s)
{
    struct sim_file *file = sim_call_file(name, fd);
    ssize_t r = -EBADF;

    if (s->flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_OOB | MSG_MORE))
        sim_violate("%s() with flags %#x is not part of this world", name, (unsigned)s->flags);
    if (file && sim_fault(SIM_INTERRUPT))
        r = -EINTR;
    else if (file) {
        if (file->kind == &sim_unix_family.kind)
            s->n = shortened(s->n);
        do
            r = send_now(file, s);
        while (r == -EAGAIN && sim_call_block(file, s->flags));
    }
    if (r >= 0 && file->kind->is_socket)
        sim_observe(sent, file, s->bytes, (size_t)r, s->passed);
    if (r < 0 && s->passed)
        sim_file_unref(s->passed);
    if (r > 0)
        sim_trace_bytes(s->bytes, (uint64_t)r);
    if (r == -EPIPE && !(s->flags & MSG_NOSIGNAL) && sim_fiber_self())
        sim_violate("%s() without MSG_NOSIGNAL has raised SIGPIPE", name);
    return r;
}

ssize_t __wrap_sendto(int fd, const void *bytes, size_t n, int flags,
                      const struct sockaddr *address, socklen_t size)
{
    struct sending s = {
        .bytes = bytes, .n = n, .flags = flags, .address = address, .address_size = size
    };

    if (!sim_world_stands)
        return __real_sendto(fd, bytes, n, flags, address, size);
    sim_call_enter();
    return sim_call_leave("send", fd, n, transmit("send", fd, &s));
}

ssize_t __wrap_send(int fd, const void *bytes, size_t n, int flags)
{
    return sim_world_stands ? __wrap_sendto(fd, bytes, n, flags, NULL, 0)
                            : __real_send(fd, bytes, n, flags);
}

/* The file that a message passes, with a reference, or NULL. */
static struct sim_file *passed_by(const struct msghdr *message)
{
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(message);
    struct sim_file *file;
    int fd;

    if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
        return NULL;
    memcpy(&fd, CMSG_DATA(cmsg), sizeof fd);
    file = sim_call_file("sendmsg", fd);
    return file ? sim_file_ref(file) : NULL;
}

static ssize_t send_message(const char *name, int fd, const struct msghdr *message, int flags)
{
    struct sending s = { .flags = flags, .passed = passed_by(message) };
    uint8_t *joined = NULL;
    ssize_t r;

    for (size_t i = 0; i < message->msg_iovlen; i++)
        s.n += message->msg_iov[i].iov_len;
    if (message->msg_iovlen == 1) {
        s.bytes = message->msg_iov[0].iov_base;
    } else if (s.n > 0) {
        s.bytes = joined = __real_malloc(s.n);
        for (size_t i = 0, at = 0; i < message->msg_iovlen; i++) {
            memcpy(joined + at, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
            at += message->msg_iov[i].iov_len;
        }
    } else {
        s.bytes = "";
    }
    s.address = message->msg_name;
    s.address_size = message->msg_namelen;
    r = transmit(name, fd, &s);
    __real_free(joined);
    return r;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!sim_world_stands)
        return __real_sendmsg(fd, message, flags);
    sim_call_enter();
    return sim_call_leave("sendmsg", fd, message->msg_iovlen,
                          send_message("sendmsg", fd, message, flags));
}

/* Stops at the first datagram that cannot be sent, and returns the error only if none was sent
 * (sendmmsg(2)). */
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags)
{
    ssize_t r = 0;
    unsigned sent;

    if (!sim_world_stands)
        return __real_sendmmsg(fd, messages, n, flags);
    sim_call_enter();
    for (sent = 0; sent < n; sent++) {
        r = send_message("sendmmsg", fd, &messages[sent].msg_hdr, flags);
        if (r < 0)
            break;
        messages[sent].msg_len = (unsigned)r;
    }
    return (int)sim_call_leave("sendmmsg", fd, n, sent > 0 || r >= 0 ? (int64_t)sent : r);
}

static ssize_t write_file(int fd, const void *bytes, size_t n)
{
    struct sim_file *file = sim_call_file("write", fd);
    struct sending s = { .bytes = bytes, .n = n };
    ssize_t r;

    if (!file)
        return -EBADF;
    if (file->kind->is_socket)
        return transmit("write", fd, &s);
    if (!file->kind->write)
        return -EINVAL;
    /* A signal interrupts only a write that waits, and an eventfd that is not full takes it. */
    if (!sim_eventfd_is(file) && sim_fault(SIM_INTERRUPT))
        return -EINTR;
    if (sim_memfile_is(file)) {
        if (sim_fault(SIM_NO_KERNEL))
            return -ENOSPC;
        n = shortened(n);
    }
    /* A terminal, unlike a pipe, may take part of what is written. */
    if (sim_terminal_is(file))
        n = shortened(n);
    do
        r = file->kind->write(file, bytes, n);
    while (r == -EAGAIN && sim_call_block(file, 0));
    if (r > 0 && sim_terminal_is(file))
        sim_observe(sent, file, bytes, (size_t)r, NULL);
    return r;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
    if (!sim_world_stands)
        return __real_write(fd, bytes, n);
    sim_call_enter();
    return sim_call_leave("write", fd, n, write_file(fd, bytes, n));
}

/* --- both, below libc --- */

long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list arguments;

    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    if (!sim_world_stands)
        return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    switch (number) {
    case SYS_recvfrom:
        return __wrap_recvfrom((int)a[0], (void *)a[1], (size_t)a[2], (int)a[3], (void *)a[4],
                               (void *)a[5]);
    case SYS_sendto:
        return __wrap_sendto((int)a[0], (const void *)a[1], (size_t)a[2], (int)a[3],
                             (const void *)a[4], (socklen_t)a[5]);
    default:
        sim_violate("syscall(%ld) is not part of this world", number);
        errno = ENOSYS;
        return -1;
    }
}
