/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "alone.h"
#include "tls-peer.h"

/*
 * A worker whose listener speaks TLS, and clients of it. They use UNIX sockets: what is sent has
 * arrived at once.
 */

#define TLS_STAND_CLIENTS 12

extern int sockets[TLS_STAND_CLIENTS]; /* of the clients; -1: none */
extern struct tls_peer peers[TLS_STAND_CLIENTS];
extern const int versions[2];

/* Fixtures: the first two for all cases of a process, the others for each case. */
void tls_stand_make_files(void);
void tls_stand_remove_files(void);
void tls_stand_setup(void);
void tls_stand_teardown(void);

/* Connects client i. version: as for tls_peer_begin(). */
void tls_stand_dial(int i, int version);
void tls_stand_hang_up(int i);

void tls_stand_send(int i, const unsigned char *bytes, size_t n);

/* Sends what the client has to send, and gives it what has come back. cut: after so many bytes the
 * worker gets its turns; 0: only at the end. */
void tls_stand_transmit(int i, size_t cut);

/* Without listening, and without an assertion: those of Check allocate memory. */
void tls_stand_transmit_only(int i);

/* The whole handshake. The last part of it is still to be sent, with what comes next. */
void tls_stand_shake(int i, size_t cut);

/* The worker has closed the connection, and has no other. */
void tls_stand_check_gone(int i);
