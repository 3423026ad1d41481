/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answerd/listener.h"
#include "base/macros.h"
#include "net/socket.h"

/* The kernel uses the lesser of this and net.core.somaxconn, which an administrator can set
 * (listen(2)). */
#define BACKLOG INT32_MAX

static int listener_new(int fd, const char *name, struct listener **ret)
{
    struct sockaddr_any address = { .size = sizeof address.storage };
    struct listener *l;

    if (getsockname(fd, &address.sa, &address.size) < 0)
        return -errno;
    l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->fd = -1;
    l->name = strdup(name);
    if (!l->name) {
        listener_free(l);
        return -ENOMEM;
    }
    (void)address_format(&address.sa, address.size, l->address);
    l->fd = fd;
    *ret = l;
    return 0;
}

int listener_adopt(int fd, const char *name, struct listener **ret)
{
    int flags, r;

    if (socket_check_listening(fd) < 0)
        return -ENOTSUP;
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    socket_set_nodelay(fd);
    socket_set_keepalive(fd);
    r = listener_new(fd, name, ret);
    if (r < 0)
        return r;
    (*ret)->inherited = true;
    return 0;
}

static bool has_file(const struct listener *l)
{
    return l->asked.sa.sa_family == AF_UNIX && l->address[0] == '/';
}

static void note_file(struct listener *l)
{
    struct stat st;

    if (!has_file(l) || stat(l->address, &st) < 0)
        return;
    l->device = st.st_dev;
    l->inode = st.st_ino;
}

static void remove_file(const struct listener *l)
{
    struct stat st;

    if (has_file(l) && lstat(l->address, &st) == 0 && st.st_dev == l->device &&
        st.st_ino == l->inode)
        (void)unlink(l->address);
}

int listener_open(const struct sockaddr_any *address, const char *name, bool beside,
                  struct listener **ret)
{
    int fd, r;

    fd = beside ? socket_listen_beside(address, BACKLOG) : socket_listen(address, BACKLOG);
    if (fd < 0)
        return fd;
    r = listener_new(fd, name, ret);
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    (*ret)->asked = *address;
    note_file(*ret);
    return 0;
}

int listener_share(const struct listener *other, const char *name, struct listener **ret)
{
    int fd, r;

    fd = fcntl(other->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return -errno;
    r = listener_new(fd, name, ret);
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    (*ret)->asked = other->asked;
    (*ret)->device = other->device;
    (*ret)->inode = other->inode;
    (*ret)->shared = true;
    return 0;
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    if (!l->inherited && !l->shared)
        remove_file(l);
    (void)close_fd(l->fd);
    free(l->name);
    free(l);
}
