/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "file.h"

/*
 * Who is bound to which address: a port, or a path (a name in the abstract space is a path that
 * begins with '@'). A path stays when its socket is closed, until it is unlinked.
 */

void sim_names_end(void);

/* Does not count as a reference. 0, -EADDRINUSE, -EINVAL. Port 0 becomes a free one. */
int sim_name_bind(const struct sockaddr *address, socklen_t size, struct sim_file *file);
/* The file goes. */
void sim_name_release(const struct sim_file *file);
/* unlink(2), access(2): 0 or -ENOENT. */
int sim_name_unlink(const char *path);
int sim_name_access(const char *path);

/* *ret: who is bound there. 0; -ENOENT: no such path; -ECONNREFUSED: nobody is bound to it any
 * more. */
int sim_name_find(const struct sockaddr *address, socklen_t size, struct sim_file **ret);
/* getsockname(2): its size, or 0. */
socklen_t sim_name_of(const struct sim_file *file, struct sockaddr_storage *ret);

/* For who writes them down as text: "/path", "@abstract" or "port". */
socklen_t sim_address(const char *text, struct sockaddr_storage *ret);
