/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "names.h"
#include "own.h"

#define FIRST_FREE_PORT 32768

struct name {
    struct name *next;
    struct sockaddr_storage address;
    socklen_t size;
    char path[sizeof((struct sockaddr_un *)0)->sun_path + 1]; /* empty: a port */
    uint16_t port;
    struct sim_file *file; /* NULL: a leftover path */
};

static struct name *names;
static uint16_t next_port = FIRST_FREE_PORT;

static int read_address(const struct sockaddr *address, socklen_t size, struct name *ret)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)address;
    size_t n = size - offsetof(struct sockaddr_un, sun_path);

    *ret = (struct name){ .size = size };
    if (size > sizeof ret->address || size < sizeof(sa_family_t))
        return -EINVAL;
    memcpy(&ret->address, address, size);
    switch (address->sa_family) {
    case AF_INET:
        ret->port = ntohs(((const struct sockaddr_in *)address)->sin_port);
        return 0;
    case AF_INET6:
        ret->port = ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
        return 0;
    case AF_UNIX:
        if (size <= offsetof(struct sockaddr_un, sun_path) || n >= sizeof ret->path)
            return -EINVAL;
        memcpy(ret->path, un->sun_path, n);
        if (ret->path[0] == '\0')
            ret->path[0] = '@';
        return 0;
    default:
        return -EAFNOSUPPORT;
    }
}

static struct name *find(const struct name *like)
{
    for (struct name *n = names; n; n = n->next)
        if (n->port == like->port && strcmp(n->path, like->path) == 0)
            return n;
    return NULL;
}

static void write_port(struct name *n)
{
    if (n->address.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&n->address)->sin6_port = htons(n->port);
    else
        ((struct sockaddr_in *)&n->address)->sin_port = htons(n->port);
}

int sim_name_bind(const struct sockaddr *address, socklen_t size, struct sim_file *file)
{
    struct name wanted, *n;
    int r = read_address(address, size, &wanted);

    if (r < 0)
        return r;
    if (!wanted.path[0] && wanted.port == 0) {
        wanted.port = next_port++;
        write_port(&wanted);
    }
    if (find(&wanted))
        return -EADDRINUSE;
    n = sim_own_alloc(sizeof *n);
    *n = wanted;
    n->file = file;
    n->next = names;
    names = n;
    return 0;
}

static void forget(struct name **at)
{
    struct name *n = *at;

    *at = n->next;
    sim_own_free(n);
}

void sim_name_release(const struct sim_file *file)
{
    for (struct name **at = &names; *at;) {
        if ((*at)->file == file && (*at)->path[0] == '/')
            (*at)->file = NULL;
        if ((*at)->file == file)
            forget(at);
        else
            at = &(*at)->next;
    }
}

int sim_name_unlink(const char *path)
{
    for (struct name **at = &names; *at; at = &(*at)->next)
        if (strcmp((*at)->path, path) == 0) {
            forget(at);
            return 0;
        }
    return -ENOENT;
}

int sim_name_access(const char *path)
{
    for (struct name *n = names; n; n = n->next)
        if (strcmp(n->path, path) == 0)
            return 0;
    return -ENOENT;
}

int sim_name_find(const struct sockaddr *address, socklen_t size, struct sim_file **ret)
{
    struct name wanted, *n;
    int r = read_address(address, size, &wanted);

    if (r < 0)
        return r;
    n = find(&wanted);
    if (!n)
        return wanted.path[0] == '/' ? -ENOENT : -ECONNREFUSED;
    if (!n->file)
        return -ECONNREFUSED;
    *ret = n->file;
    return 0;
}

socklen_t sim_name_of(const struct sim_file *file, struct sockaddr_storage *ret)
{
    for (struct name *n = names; n; n = n->next)
        if (n->file == file) {
            *ret = n->address;
            return n->size;
        }
    return 0;
}

socklen_t sim_address(const char *text, struct sockaddr_storage *ret)
{
    struct sockaddr_un *un = (struct sockaddr_un *)ret;
    struct sockaddr_in *in = (struct sockaddr_in *)ret;

    memset(ret, 0, sizeof *ret);
    if (text[0] == '/' || text[0] == '@') {
        size_t n = strlen(text);

        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, text, n);
        if (text[0] == '@')
            un->sun_path[0] = '\0';
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (text[0] == '/'));
    }
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in->sin_port = htons((uint16_t)strtoul(text, NULL, 10));
    return sizeof *in;
}

void sim_names_end(void)
{
    while (names)
        forget(&names);
    next_port = FIRST_FREE_PORT;
}
