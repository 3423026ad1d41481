/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../file.h"

/*
 * OpenSSL in the world. It is not part of the program, so it runs as it is: its memory is its own.
 * What the program asks of it goes through seam.c. Its time is the world's, and so is its chance
 * (chance.c): the same seed gives the same bytes.
 */

struct tls_server;

/* False: a build without OpenSSL. Then no other function does anything. */
bool sim_tls_is_there(void);

/* Once, before the first world: makes a certificate. */
void sim_tls_open(void);
void sim_tls_close(void);

/* A run begins, after sim_world_begin(): chance begins anew. It ends. */
void sim_tls_begin(void);
void sim_tls_end(void);

/* A process begins, and makes the server's side for all its listeners. It ends; or it was killed, and
 * what it has left behind is freed. */
void sim_tls_process_begins(void);
void sim_tls_process_ends(void);
void sim_tls_process_is_killed(void);
struct tls_server *sim_tls_server(void);

/* What the program has made in OpenSSL and not freed. */
size_t sim_tls_left(void);

/* What the program does with its streams. */
struct sim_tls_observer {
    void (*stepping)(void); /* it is about to take a step of a handshake */
    /* Bytes without their encryption. file: the socket. */
    void (*received)(struct sim_file *file, const void *bytes, size_t n);
    void (*sending)(struct sim_file *file, const void *bytes, size_t n);
    void (*sent)(struct sim_file *file, size_t n);
    /* The stream has failed. */
    void (*failed)(struct sim_file *file);
};

/* NULL: none. */
extern const struct sim_tls_observer *sim_tls_observer;
