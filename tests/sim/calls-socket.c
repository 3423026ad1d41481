/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls that create sockets and query them. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/macros.h"
#include "blank.h"
#include "calls.h"
#include "datagram.h"
#include "descriptors.h"
#include "fiber.h"
#include "listening.h"
#include "names.h"
#include "observer.h"
#include "seed.h"
#include "stream.h"
#include "task.h"
#include "tcp.h"
#include "trace.h"
#include "unix.h"

static int new_socket(int family, int type)
{
    struct sim_file *file;

    if (sim_fault(SIM_NO_DESCRIPTOR))
        return sim_below(2) > 0 ? -ENFILE : -EMFILE;
    if (sim_fault(SIM_NO_KERNEL))
        return sim_below(2) > 0 ? -ENOMEM : -ENOBUFS;
    switch (type & 0xf) {
    case SOCK_STREAM:
        file = sim_blank_new(family);
        break;
    case SOCK_DGRAM:
        if (family != AF_UNIX)
            return -EAFNOSUPPORT;
        file = sim_datagram_new();
        break;
    default:
        return -EPROTONOSUPPORT;
    }
    sim_file_set_nonblocking(file, type & SOCK_NONBLOCK);
    return sim_descriptor_new(file, 0);
}

int __wrap_socket(int family, int type, int protocol)
{
    if (!sim_world_stands)
        return __real_socket(family, type, protocol);
    sim_call_enter();
    return (int)sim_call_leave("socket", -1, (uint64_t)type, new_socket(family, type));
}

int __wrap_socketpair(int family, int type, int protocol, int fds[2])
{
    struct sim_stream *a, *b;

    if (!sim_world_stands)
        return __real_socketpair(family, type, protocol, fds);
    sim_call_enter();
    if (family != AF_UNIX || (type & 0xf) != SOCK_STREAM)
        return (int)sim_call_leave("socketpair", -1, (uint64_t)type, -EOPNOTSUPP);
    sim_unix_new(&a, &b);
    sim_file_set_nonblocking(&a->file, type & SOCK_NONBLOCK);
    sim_file_set_nonblocking(&b->file, type & SOCK_NONBLOCK);
    fds[0] = sim_descriptor_new(&a->file, 0);
    fds[1] = sim_descriptor_new(&b->file, 0);
    return (int)sim_call_leave("socketpair", fds[0], (uint64_t)type, 0);
}

static int bind_file(int fd, const struct sockaddr *address, socklen_t size)
{
    struct sim_file *file = sim_call_file("bind", fd);

    if (!file)
        return -EBADF;
    if (sim_datagram_of(file))
        return sim_datagram_bind(sim_datagram_of(file), address, size);
    return sim_blank_is(file) ? sim_blank_bind(file, address, size) : -EINVAL;
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    if (!sim_world_stands)
        return __real_bind(fd, address, size);
    sim_call_enter();
    return (int)sim_call_leave("bind", fd, size, bind_file(fd, address, size));
}

static int listen_on(int fd, int backlog)
{
    struct sim_file *file = sim_call_file("listen", fd), *listening = NULL;
    struct sockaddr_storage address;
    socklen_t size;
    int r;

    if (!file)
        return -EBADF;
    if (sim_listening_is(file)) {
        sim_listening_set_backlog(file, backlog);
        return 0;
    }
    size = sim_blank_is(file) ? sim_blank_address(file, &address) : 0;
    if (size == 0)
        return -EINVAL;
    sim_name_release(file);
    if (address.ss_family == AF_UNIX)
        (void)sim_name_unlink(((struct sockaddr *)&address)->sa_data);
    r = sim_listening_new((struct sockaddr *)&address, size, backlog, &listening);
    if (r == 0)
        sim_descriptor_replace(fd, listening);
    return r;
}

int __wrap_listen(int fd, int backlog)
{
    if (!sim_world_stands)
        return __real_listen(fd, backlog);
    sim_call_enter();
    return (int)sim_call_leave("listen", fd, (uint64_t)backlog, listen_on(fd, backlog));
}

struct dialing {
    struct sim_stream *stream;
    int error;
    bool done;
};

static void dialed(void *userdata, struct sim_stream *stream, int error)
{
    struct dialing *d = userdata;

    *d = (struct dialing){ .stream = stream, .error = error, .done = true };
}

/* Threads make no connections that take time. Tests do, and wait for them. */
static int connect_stream(int fd, struct sim_file *file, const struct sockaddr *address,
                          socklen_t size)
{
    struct dialing d = { .error = -ETIMEDOUT };
    struct sockaddr_in from = { .sin_family = AF_INET };
    struct sim_dial *dial;

    if (sim_listening_is(file))
        return -EINVAL;
    if (!sim_blank_is(file))
        return -EISCONN;
    if (sim_blank_family(file) != address->sa_family)
        return -EINVAL;
    dial = sim_dial(address, size, address->sa_family == AF_INET ? (struct sockaddr *)&from : NULL,
                    sizeof from, dialed, &d);
    while (!d.done && !sim_fiber_self() && sim_turn(SIM_NEVER))
        ;
    if (!d.done)
        sim_dial_cancel(dial);
    if (d.stream)
        sim_descriptor_replace(fd, &d.stream->file);
    return d.error;
}

static int connect_file(int fd, const struct sockaddr *address, socklen_t size)
{
    struct sim_file *file = sim_call_file("connect", fd);

    if (!file)
        return -EBADF;
    if (sim_datagram_of(file))
        return sim_datagram_connect(sim_datagram_of(file), address, size);
    return connect_stream(fd, file, address, size);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    if (!sim_world_stands)
        return __real_connect(fd, address, size);
    sim_call_enter();
    return (int)sim_call_leave("connect", fd, size, connect_file(fd, address, size));
}

static void put_address(const void *from, socklen_t n, struct sockaddr *address, socklen_t *size)
{
    if (!address)
        return;
    memcpy(address, from, MIN(*size, n));
    *size = n;
}

/* The error of a failed connection is reported once, with or without dropping the connection. */
static int accept_fault(struct sim_file *file)
{
    static const int errors[] = { ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, EPERM };
    struct sim_stream *s;

    if (sim_fault(SIM_INTERRUPT))
        return -EINTR;
    if (sim_fault(SIM_NO_DESCRIPTOR))
        return sim_below(2) > 0 ? -ENFILE : -EMFILE;
    if (sim_fault(SIM_NO_KERNEL))
        return sim_below(2) > 0 ? -ENOMEM : -ENOBUFS;
    if (!sim_fault(SIM_ACCEPT))
        return 0;
    if (sim_below(2) > 0 && (s = sim_listening_accept(file)))
        sim_stream_reset(s);
    return -errors[sim_below(ARRAY_SIZE(errors))];
}

static int accept_from(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    struct sim_file *file = sim_call_file("accept4", fd);
    struct sim_stream *s;
    int r;

    if (!file)
        return -EBADF;
    if (!sim_listening_is(file))
        return file->kind->is_socket ? -EINVAL : -ENOTSOCK;
    r = accept_fault(file);
    if (r == 0)
        r = sim_descriptor_room();
    if (r < 0)
        return r;
    while (!(s = sim_listening_accept(file)))
        if (!sim_call_block(file, 0))
            return -EAGAIN;
    put_address(&s->peer_address, s->peer_address_size, address, size);
    sim_file_set_nonblocking(&s->file, flags & SOCK_NONBLOCK);
    sim_observe(accepted, fd, &s->file);
    return sim_descriptor_new(&s->file, 0);
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    if (!sim_world_stands)
        return __real_accept4(fd, address, size, flags);
    sim_call_enter();
    return (int)sim_call_leave("accept4", fd, 0, accept_from(fd, address, size, flags));
}

int __wrap_shutdown(int fd, int how)
{
    struct sim_file *file;
    int r = -ENOTCONN;

    if (!sim_world_stands)
        return __real_shutdown(fd, how);
    sim_call_enter();
    file = sim_call_file("shutdown", fd);
    if (!file)
        r = -EBADF;
    else if (sim_stream_is(file))
        r = sim_stream_shutdown((struct sim_stream *)file, how);
    else if (!file->kind->is_socket)
        r = -ENOTSOCK;
    return (int)sim_call_leave("shutdown", fd, (uint64_t)how, r);
}

/* The buffer sizes of a socket after SO_SNDBUF and SO_RCVBUF (socket(7)): twice the value asked
 * for, within limits. */
static int buffer_size(int asked)
{
    return 2 * MAX(MIN(asked, (int)sim_datagram_wmem_max()), 2304);
}

static void set_buffer(struct sim_file *file, int option, int value)
{
    struct sim_datagram *d = sim_datagram_of(file);

    if (d && option == SO_SNDBUFFORCE)
        sim_datagram_set_sndbuf(d, 2 * (uint32_t)value);
    if (d && option == SO_SNDBUF)
        sim_datagram_set_sndbuf(d, (uint32_t)buffer_size(value));
    if (!sim_stream_is(file) || option == SO_SNDBUFFORCE)
        return;
    if (option == SO_SNDBUF)
        ((struct sim_stream *)file)
            ->family->set_sizes((struct sim_stream *)file, buffer_size(value), 0);
    else
        ((struct sim_stream *)file)
            ->family->set_sizes((struct sim_stream *)file, 0, buffer_size(value));
}

static bool is_unix(const struct sim_file *file)
{
    return file->kind == &sim_unix_family.kind ||
           (sim_blank_is(file) && sim_blank_family(file) == AF_UNIX) ||
           (sim_listening_is(file) && sim_listening_is_unix(file)) ||
           sim_datagram_of((struct sim_file *)file);
}

static int set_option(int fd, int level, int option, const void *value, socklen_t size)
{
    struct sim_file *file = sim_call_file("setsockopt", fd);
    int number = 0;

    if (!file)
        return -EBADF;
    if (!file->kind->is_socket)
        return -ENOTSOCK;
    memcpy(&number, value, MIN((size_t)size, sizeof number));
    if (level != SOL_SOCKET)
        return is_unix(file) ? -EOPNOTSUPP : 0;
    if (option == SO_SNDBUF || option == SO_RCVBUF || option == SO_SNDBUFFORCE)
        set_buffer(file, option, number);
    if (option == SO_LINGER && sim_stream_is(file)) {
        struct linger l;

        memcpy(&l, value, sizeof l);
        ((struct sim_stream *)file)
            ->family->set_reset((struct sim_stream *)file, l.l_onoff && l.l_linger == 0);
    }
    return 0;
}

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    if (!sim_world_stands)
        return __real_setsockopt(fd, level, option, value, size);
    sim_call_enter();
    return (int)sim_call_leave("setsockopt", fd, (uint64_t)option,
                               set_option(fd, level, option, value, size));
}

static int get_option(int fd, int level, int option, void *value, socklen_t *size)
{
    struct sim_file *file = sim_call_file("getsockopt", fd);
    struct ucred peer = { .pid = 4711, .uid = 1000, .gid = 1000 };
    int number = 0;

    if (!file)
        return -EBADF;
    if (!file->kind->is_socket)
        return -ENOTSOCK;
    if (level != SOL_SOCKET)
        return is_unix(file) ? -EOPNOTSUPP : -ENOPROTOOPT;
    if (option == SO_PEERCRED) {
        if (sim_stream_is(file) && ((struct sim_stream *)file)->peer->pid > 0)
            peer.pid = (pid_t)((struct sim_stream *)file)->peer->pid;
        memcpy(value, &peer, MIN((size_t)*size, sizeof peer));
        return 0;
    }
    if (option == SO_TYPE)
        number = sim_datagram_of(file) ? SOCK_DGRAM : SOCK_STREAM;
    else if (option == SO_ACCEPTCONN)
        number = sim_listening_is(file);
    else if (option == SO_ERROR && sim_stream_is(file))
        number = sim_stream_take_error((struct sim_stream *)file);
    else if (option == SO_SNDBUF && sim_datagram_of(file))
        number = (int)sim_datagram_sndbuf(sim_datagram_of(file));
    memcpy(value, &number, MIN((size_t)*size, sizeof number));
    return 0;
}

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
    if (!sim_world_stands)
        return __real_getsockopt(fd, level, option, value, size);
    sim_call_enter();
    return (int)sim_call_leave("getsockopt", fd, (uint64_t)option,
                               get_option(fd, level, option, value, size));
}

static int own_name(int fd, struct sockaddr *address, socklen_t *size)
{
    struct sim_file *file = sim_call_file("getsockname", fd);
    struct sockaddr_storage name = { .ss_family = AF_INET };
    socklen_t n;

    if (!file)
        return -EBADF;
    if (!file->kind->is_socket)
        return -ENOTSOCK;
    n = sim_name_of(file, &name);
    if (n == 0 && is_unix(file))
        name.ss_family = AF_UNIX;
    if (n == 0)
        n = is_unix(file) ? sizeof(sa_family_t) : sizeof(struct sockaddr_in);
    put_address(&name, n, address, size);
    return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    if (!sim_world_stands)
        return __real_getsockname(fd, address, size);
    sim_call_enter();
    return (int)sim_call_leave("getsockname", fd, 0, own_name(fd, address, size));
}

static int peer_name(int fd, struct sockaddr *address, socklen_t *size)
{
    struct sim_file *file = sim_call_file("getpeername", fd);
    struct sim_stream *s = (struct sim_stream *)file;

    if (!file)
        return -EBADF;
    if (!sim_stream_is(file))
        return file->kind->is_socket ? -ENOTCONN : -ENOTSOCK;
    put_address(&s->peer_address, s->peer_address_size, address, size);
    return 0;
}

int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
    if (!sim_world_stands)
        return __real_getpeername(fd, address, size);
    sim_call_enter();
    return (int)sim_call_leave("getpeername", fd, 0, peer_name(fd, address, size));
}
