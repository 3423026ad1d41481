/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/socket.h"

static int set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

void socket_set_nodelay(int fd)
{
    /* Fails on sockets that are not TCP, which have no Nagle's algorithm. */
    (void)set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

void socket_set_keepalive(int fd)
{
    /* UNIX sockets accept the option and ignore it. */
    (void)set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

/* A killed server leaves its socket file behind. If connect() is refused, nobody listens on it. But
 * connect() is refused for any other kind of file too, and that must stay. */
static int remove_stale(const struct sockaddr_any *address)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->sa;
    _cleanup_close_ int fd = -EBADF;
    struct stat st;

    if (lstat(un->sun_path, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, &address->sa, address->size) == 0 || errno != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(un->sun_path) < 0 ? -errno : 0;
}

static int bind_address(int fd, const struct sockaddr_any *address)
{
    int r;

    if (bind(fd, &address->sa, address->size) == 0)
        return 0;
    r = -errno;
    if (r != -EADDRINUSE || address->sa.sa_family != AF_UNIX ||
        ((const struct sockaddr_un *)&address->sa)->sun_path[0] == '\0')
        return r;
    r = remove_stale(address);
    if (r < 0)
        return r;
    return bind(fd, &address->sa, address->size) < 0 ? -errno : 0;
}

int socket_share_port(int fd, bool share)
{
    return set_int(fd, SOL_SOCKET, SO_REUSEPORT, share);
}

/* Does not depend on net.ipv6.bindv6only: only the wildcard address also takes IPv4. */
static int set_families(int fd, const struct sockaddr_any *address)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->sa;
    bool both = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) && !address->ipv6_alone;

    return set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, !both);
}

static int listen_at(const struct sockaddr_any *address, int backlog, bool beside)
{
    _cleanup_close_ int fd = -EBADF;
    int r;

    fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (address->sa.sa_family != AF_UNIX) {
        r = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (r < 0)
            return r;
        socket_set_nodelay(fd);
        socket_set_keepalive(fd);
    }
    r = address->sa.sa_family == AF_INET6 ? set_families(fd, address) : 0;
    if (r == 0 && beside)
        r = socket_share_port(fd, true);
    if (r == 0)
        r = bind_address(fd, address);
    if (r < 0)
        return r;
    if (listen(fd, backlog) < 0)
        return -errno;
    r = beside ? socket_share_port(fd, false) : 0;
    return r < 0 ? r : STEAL_FD(fd);
}

int socket_listen(const struct sockaddr_any *address, int backlog)
{
    return listen_at(address, backlog, false);
}

int socket_listen_beside(const struct sockaddr_any *address, int backlog)
{
    return listen_at(address, backlog, true);
}

size_t socket_unread(int fd)
{
    int n;

    return ioctl(fd, FIONREAD, &n) < 0 ? 0 : (size_t)n;
}

int socket_check_listening(int fd)
{
    int value;
    socklen_t size = sizeof value;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size) < 0)
        return -errno;
    if (value != SOCK_STREAM)
        return -ESOCKTNOSUPPORT;
    size = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) < 0)
        return -errno;
    return value ? 0 : -EINVAL;
}
