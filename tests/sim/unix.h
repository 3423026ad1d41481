/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stream.h"

/*
 * AF_UNIX streams. Sent data is there immediately, as a separate piece. It occupies the sender's
 * buffer, including the kernel's overhead, until its last byte is read. Each freed piece wakes the
 * sender, even if no writer waits.
 */

extern const struct sim_stream_family sim_unix_family;

/* Draws the run's settings. plain: Linux defaults. */
void sim_unix_begin(bool plain);
void sim_unix_set_sndbuf(uint32_t bytes); /* of new sockets */

/* Two connected ends with one reference each. */
void sim_unix_new(struct sim_stream **ret_client, struct sim_stream **ret_server);
size_t sim_unix_count(void); /* ends not freed yet */

/* The space that n bytes take in a sender's buffer. */
uint32_t sim_unix_truesize(size_t n);
