/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "net/address.h"

/*
 * A listening socket: opened here, or handed over by systemd.
 */
struct listener {
    struct listener *next; /* among those that are retired */
    int fd;
    char *name;                     /* which section of the configuration it obeys */
    bool inherited;                 /* from systemd, which keeps it */
    bool shared;                    /* another listener has the same socket, and its file */
    struct sockaddr_any asked;      /* what it was opened for */
    char address[ADDRESS_TEXT_MAX]; /* where it listens in fact */
};

/* Takes over a socket that was inherited, and makes it non-blocking. 0 and the listener; or a
 * negative errno, -ENOTSUP where it is no listening stream socket, and the socket is left as it
 * is. */
int listener_adopt(int fd, const char *name, struct listener **ret);

/* Opens a socket. beside: beside others that are in its way, as socket_listen_beside() does. 0 or a
 * negative errno. */
int listener_open(const struct sockaddr_any *address, const char *name, bool beside,
                  struct listener **ret);

/* Another listener of the same socket, for another section: after a reload it takes the place of
 * `other`. One of the two is to be marked as `shared` while both are there. 0 or a negative
 * errno. */
int listener_share(const struct listener *other, const char *name, struct listener **ret);

/* Closes the socket, and removes its file where it is a UNIX socket that was opened here. NULL is
 * fine. */
void listener_free(struct listener *l);
