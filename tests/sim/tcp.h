/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "stream.h"

/*
 * TCP as its users see it. Sent bytes leave immediately. They arrive at a random time in random
 * portions, and are acknowledged even later. Until then they occupy the sender's buffer. A full
 * receive buffer closes the window. A FIN follows all bytes. An RST comes at any time, and may
 * destroy data in flight.
 */

extern const struct sim_stream_family sim_tcp_family;

struct sim_tcp_settings {
    uint32_t sndbuf_min, sndbuf_max; /* drawn for each end */
    uint32_t rcvbuf_min, rcvbuf_max;
    uint32_t latency_max; /* ns, one way; drawn per connection, then per portion */
    uint32_t cut;         /* a portion is cut somewhere: rate per million */
};

/* Draws the run's settings. plain: no latency, no cuts. */
void sim_tcp_begin(bool plain);
const struct sim_tcp_settings *sim_tcp_settings(void);
/* For new connections: when the world turns fair, or for a test. */
void sim_tcp_configure(const struct sim_tcp_settings *settings);

/* Two connected ends with one reference each. */
void sim_tcp_new(struct sim_stream **ret_client, struct sim_stream **ret_server);
/* The current latency of a segment, in ns. */
uint64_t sim_tcp_latency(const struct sim_stream *s);
size_t sim_tcp_count(void); /* ends not freed yet */
