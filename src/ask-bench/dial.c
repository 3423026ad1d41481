/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "ask-bench/dial.h"
#include "base/macros.h"
#include "net/socket.h"

int dial_socket(const struct sockaddr_any *target, const struct sources *sources, uint64_t number,
                bool lasting)
{
    _cleanup_close_ int fd = -1;
    struct sockaddr_any local;

    fd = socket(target->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* Send each message without waiting for an earlier acknowledgement. */
    if (lasting)
        socket_set_nodelay(fd);
    if (sources->family == AF_UNSPEC)
        return STEAL_FD(fd);
    /* connect() chooses the port, once both ends are known. Otherwise all connections from one
     * address would share its ports, whatever their target (ip(7)). */
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int)) < 0)
        return -errno;
    sources_get(sources, number, &local);
    if (bind(fd, &local.sa, local.size) < 0)
        return -errno;
    return STEAL_FD(fd);
}
