/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "file.h"
#include "stream.h"

/*
 * A listening socket: a queue of connections that are made and not yet accepted, with one place
 * more than its backlog. Whoever comes while it is full waits: TCP tries again after a second, and
 * a UNIX socket's connect() says EAGAIN.
 */

/* backlog: how many wait. One reference. 0 or a negative errno. */
int sim_listening_new(const struct sockaddr *address, socklen_t size, int backlog,
                      struct sim_file **ret);
bool sim_listening_is(const struct sim_file *file);
bool sim_listening_is_unix(const struct sim_file *file);
void sim_listening_set_backlog(struct sim_file *file, int backlog);
/* The next connection, whose reference goes over, or NULL. */
struct sim_stream *sim_listening_accept(struct sim_file *file);
size_t sim_listening_waiting(const struct sim_file *file);

/* A connection that is being made. Told of once, when it has been or has failed; the stream's
 * reference goes over. */
struct sim_dial;
typedef void sim_dialed(void *userdata, struct sim_stream *stream, int error);

/* from: the client's own address, which is copied, or NULL. A UNIX socket's client is told before
 * this returns. */
struct sim_dial *sim_dial(const struct sockaddr *to, socklen_t to_size, const struct sockaddr *from,
                          socklen_t from_size, sim_dialed *dialed, void *userdata);
/* It was not told of yet, and will not be. */
void sim_dial_cancel(struct sim_dial *dial);
