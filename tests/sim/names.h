/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "file.h"

/*
 * Which socket is bound to which address: a port or a path. An abstract name is a path that begins
 * with '@'. A path outlives its socket until it is unlinked.
 */

void sim_names_end(void);

/* Holds no reference. 0, -EADDRINUSE, -EINVAL. Port 0 becomes a free port. */
int sim_name_bind(const struct sockaddr *address, socklen_t size, struct sim_file *file);
/* The file is going away. */
void sim_name_release(const struct sim_file *file);
/* unlink(2), access(2): 0 or -ENOENT. */
int sim_name_unlink(const char *path);
int sim_name_access(const char *path);

/* ret: the socket bound there. 0; -ENOENT: no such path; -ECONNREFUSED: the path exists, but its
 * socket is gone. */
int sim_name_find(const struct sockaddr *address, socklen_t size, struct sim_file **ret);
/* getsockname(2): the size of the address, or 0. */
socklen_t sim_name_of(const struct sim_file *file, struct sockaddr_storage *ret);

/* For callers that write addresses as text: "/path", "@abstract" or "port". */
socklen_t sim_address(const char *text, struct sockaddr_storage *ret);
