/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "file.h"
#include "stream.h"

/*
 * A listening socket: an accept queue with one place more than its backlog. If the queue is full,
 * new connections wait: TCP tries again after a second, and connect() on a UNIX socket returns
 * EAGAIN.
 */

/* backlog: how many may wait. Starts with one reference. 0 or a negative errno. */
int sim_listening_new(const struct sockaddr *address, socklen_t size, int backlog,
                      struct sim_file **ret);
bool sim_listening_is(const struct sim_file *file);
bool sim_listening_is_unix(const struct sim_file *file);
void sim_listening_set_backlog(struct sim_file *file, int backlog);
/* The next connection, with its reference, or NULL. */
struct sim_stream *sim_listening_accept(struct sim_file *file);
size_t sim_listening_waiting(const struct sim_file *file);

/* A connection attempt. Its callback is called once, when it succeeds or fails, and gets the
 * stream's reference. */
struct sim_dial;
typedef void sim_dialed(void *userdata, struct sim_stream *stream, int error);

/* from: the client's own address, which is copied, or NULL. For a UNIX socket the callback is
 * called before this returns. */
struct sim_dial *sim_dial(const struct sockaddr *to, socklen_t to_size, const struct sockaddr *from,
                          socklen_t from_size, sim_dialed *dialed, void *userdata);
/* Cancels an attempt whose callback has not been called. It will not be called. */
void sim_dial_cancel(struct sim_dial *dial);
