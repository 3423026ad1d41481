/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "alone.h"
#include "serve/output.h"

/*
 * An output on its own: its worker never takes a turn here. It writes to one end of a socket pair,
 * and the test is the peer at the other.
 */

extern struct transport transport;
extern struct output output;
extern int peer;

/* The fixture of every case. */
void output_stand_begin(void);
void output_stand_end(void);

/* Sends the text, or holds it until `waits` records are made. */
void say(const char *text);
struct slot *hold(const char *text, unsigned waits);

/* n of the slot's records are made. */
void complete(struct slot *s, unsigned n);

/* Sends what can go, and expects the peer to get exactly this. */
void flush(const char *expected);

/* Sends 64 KiB of `f`, until the kernel takes no more. Returns the number of bytes it took. */
size_t fill(void);
