/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "file.h"

/*
 * AF_UNIX datagrams, for the journal's socket. A receiver has one place more than
 * net.unix.max_dgram_qlen. A datagram occupies its sender's buffer until it is read. Each read
 * wakes all senders that found the receiver full, but reserves a place for none of them. It also
 * tells the sender of the datagram that its buffer has room.
 */

struct sim_datagram;

/* Draws the run's settings. plain: Linux defaults. */
void sim_datagram_begin(bool plain);
/* net.core.wmem_max: the upper limit of SO_SNDBUF. */
uint32_t sim_datagram_wmem_max(void);
void sim_datagram_set_places(uint32_t max_qlen); /* of sockets bound from now on */

struct sim_file *sim_datagram_new(void);
struct sim_datagram *sim_datagram_of(struct sim_file *file); /* NULL: not a datagram socket */
int sim_datagram_bind(struct sim_datagram *d, const struct sockaddr *address, socklen_t size);
int sim_datagram_connect(struct sim_datagram *d, const struct sockaddr *address, socklen_t size);
void sim_datagram_set_sndbuf(struct sim_datagram *d, uint32_t bytes);
uint32_t sim_datagram_sndbuf(const struct sim_datagram *d);
int sim_datagram_unsent(const struct sim_datagram *d); /* SIOCOUTQ */

/* Sends to the peer, or to the given address. passed: a file, or NULL. The reference is taken over
 * unless the result is negative. 0 or a negative errno. */
int sim_datagram_send(struct sim_datagram *d, const void *bytes, size_t n, struct sim_file *passed,
                      const struct sockaddr *address, socklen_t size);

struct sim_message {
    uint8_t *bytes; /* freed by sim_message_free() */
    size_t size;
    struct sim_file *passed;
};

/* The oldest datagram in the queue. False if there is none. */
bool sim_datagram_receive(struct sim_datagram *d, struct sim_message *ret);
void sim_message_free(struct sim_message *m);
size_t sim_datagram_waiting(const struct sim_datagram *d);
