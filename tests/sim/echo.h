/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "file.h"

/*
 * A small server in the model of the kernel. It works like a worker: an edge-triggered loop that
 * records each byte in the journal, then sends it back.
 */

#define ECHO_THREADS 3
#define ECHO_JOURNAL "/run/journal"

/* n threads that accept from the two listeners in turn. */
void echo_begin(struct sim_file *tcp, struct sim_file *local, unsigned n);

/* Dies at any call. Another server may start with the remaining sockets. */
void echo_die(void);

/* Stops the server. The world turns meanwhile. */
void echo_end(void);
