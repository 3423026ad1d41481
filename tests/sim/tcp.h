/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stream.h"

/*
 * TCP as its users see it. Bytes leave when they are sent, arrive when the network likes, in
 * portions that it likes, and are acknowledged later still; until then they fill the sender's
 * buffer. The receiver's buffer closes the window. FIN comes behind all bytes; RST comes when it
 * comes, and what is under way then may be lost.
 */

extern const struct sim_stream_family sim_tcp_family;

struct sim_tcp_settings {
    uint32_t sndbuf_min, sndbuf_max; /* drawn for each end */
    uint32_t rcvbuf_min, rcvbuf_max;
    uint32_t latency_max; /* ns, one way; drawn for each connection, then for each portion */
    uint32_t cut;         /* a portion is cut somewhere: per million */
};

/* Draws the run's settings; plain: no latency, no cuts. */
void sim_tcp_begin(bool plain);
const struct sim_tcp_settings *sim_tcp_settings(void);
/* From now on for new connections: the world has turned fair, or a test wants it so. */
void sim_tcp_configure(const struct sim_tcp_settings *settings);

/* Two connected ends, each with one reference. */
void sim_tcp_new(struct sim_stream **ret_client, struct sim_stream **ret_server);
/* The time that a segment takes now, ns. */
uint64_t sim_tcp_latency(const struct sim_stream *s);
size_t sim_tcp_count(void); /* ends that are not freed */
