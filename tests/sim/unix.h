/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stream.h"

/*
 * AF_UNIX streams. What is sent is there at once, as a piece of its own, which fills the sender's
 * buffer, with all the kernel's memory for it, until its last byte is read; each piece that is
 * freed says so to the sender, whether anybody waits for it or not.
 */

extern const struct sim_stream_family sim_unix_family;

/* Draws the run's settings; plain: as Linux has them. */
void sim_unix_begin(bool plain);
void sim_unix_set_sndbuf(uint32_t bytes); /* of new sockets */

/* Two connected ends, each with one reference. */
void sim_unix_new(struct sim_stream **ret_client, struct sim_stream **ret_server);
size_t sim_unix_count(void); /* ends that are not freed */

/* What n bytes take of a sender's buffer. */
uint32_t sim_unix_truesize(size_t n);
