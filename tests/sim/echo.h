/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "file.h"

/*
 * A small server in the model of the kernel. It does what workers do: an edge-triggered loop that
 * records each byte in the journal and then sends it back.
 */

#define ECHO_THREADS 3
#define ECHO_JOURNAL "/run/journal"

/* n threads, which accept from one of the two by turns. */
void echo_begin(struct sim_file *tcp, struct sim_file *local, unsigned n);

/* Dies at any call; another may begin with the sockets that are left. */
void echo_die(void);

/* Stops, for which the world takes turns. */
void echo_end(void);
