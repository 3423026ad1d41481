/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include <sys/types.h>

#include "net/address.h"

/*
 * A listening socket, opened here or passed by systemd.
 */
struct listener {
    struct listener *next; /* in the list of retired listeners */
    int fd;
    char *name;                /* the section of the configuration */
    bool inherited;            /* from systemd, which keeps the socket */
    bool shared;               /* another listener has the same socket and its file */
    struct sockaddr_any asked; /* the address asked for */
    dev_t device;              /* of the file of a UNIX socket that was opened here */
    ino_t inode;
    char address[ADDRESS_TEXT_MAX]; /* the actual address */
};

/* Takes over an inherited socket and makes it non-blocking. 0 and the listener; or a negative
 * errno, and the socket stays as it is: -ENOTSUP if it is not a listening stream socket. */
int listener_adopt(int fd, const char *name, struct listener **ret);

/* Opens a socket. beside: next to sockets in its way, see socket_listen_beside(). 0 or a negative
 * errno. */
int listener_open(const struct sockaddr_any *address, const char *name, bool beside,
                  struct listener **ret);

/* Another listener with the same socket, for another section. After a reload it replaces `other`.
 * While both exist, one of them must be marked `shared`. 0 or a negative errno. */
int listener_share(const struct listener *other, const char *name, struct listener **ret);

/* Closes the socket. Removes the file of a UNIX socket that was opened here, unless another file has
 * taken its place. NULL is fine. */
void listener_free(struct listener *l);
