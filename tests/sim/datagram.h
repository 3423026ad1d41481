/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "file.h"

/*
 * AF_UNIX datagrams, for the journal's socket. A receiver has one place more than
 * net.unix.max_dgram_qlen. A datagram fills its sender's buffer until it is read. Each read wakes
 * every sender that found the receiver full, and keeps a place for none; and it says to the sender
 * of what was read that its buffer has room.
 */

struct sim_datagram;

/* Draws the run's settings; plain: as Linux has them. */
void sim_datagram_begin(bool plain);
/* net.core.wmem_max: what SO_SNDBUF may ask for. */
uint32_t sim_datagram_wmem_max(void);
void sim_datagram_set_places(uint32_t max_qlen); /* of sockets that are bound from now on */

struct sim_file *sim_datagram_new(void);
struct sim_datagram *sim_datagram_of(struct sim_file *file); /* NULL: it is none */
int sim_datagram_bind(struct sim_datagram *d, const struct sockaddr *address, socklen_t size);
int sim_datagram_connect(struct sim_datagram *d, const struct sockaddr *address, socklen_t size);
void sim_datagram_set_sndbuf(struct sim_datagram *d, uint32_t bytes);
uint32_t sim_datagram_sndbuf(const struct sim_datagram *d);
int sim_datagram_unsent(const struct sim_datagram *d); /* SIOCOUTQ */

/* To the peer, or, where an address is given, there. passed: a file, or NULL; the reference is
 * taken over where the result is not negative. 0 or a negative errno. */
int sim_datagram_send(struct sim_datagram *d, const void *bytes, size_t n, struct sim_file *passed,
                      const struct sockaddr *address, socklen_t size);

struct sim_message {
    uint8_t *bytes; /* freed by sim_message_free() */
    size_t size;
    struct sim_file *passed;
};

/* The oldest one that has come: false where there is none. */
bool sim_datagram_receive(struct sim_datagram *d, struct sim_message *ret);
void sim_message_free(struct sim_message *m);
size_t sim_datagram_waiting(const struct sim_datagram *d);
