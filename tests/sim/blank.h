/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/socket.h>

#include "file.h"

/* A stream socket that is neither connected nor listening yet. */

struct sim_file *sim_blank_new(int family);
bool sim_blank_is(const struct sim_file *file);
int sim_blank_family(const struct sim_file *file);
int sim_blank_bind(struct sim_file *file, const struct sockaddr *address, socklen_t size);
/* The bound address, or 0. */
socklen_t sim_blank_address(const struct sim_file *file, struct sockaddr_storage *ret);
