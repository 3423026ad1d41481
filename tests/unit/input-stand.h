/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "alone.h"
#include "serve/input.h"

/*
 * An input on its own: its worker never takes a turn here. It reads one end of a socket pair, and
 * the test is the peer at the other.
 */

extern struct transport transport;
extern struct output output;
extern struct input input;
extern struct exchange exchange;
extern int peer;
extern int mistake; /* enum frame_error of the last take() */

/* The fixture of every case. */
void input_stand_begin(void);
void input_stand_end(void);

/* The number of bytes counted as discarded. */
uint64_t discarded(void);

void pass(uint64_t ms);

/* Sends the text as the peer, and takes it. Returns the session's status. */
enum session_status take(const char *text);

/* Sends the text as the peer, and keeps it for later. */
void collect(const char *text);

/* Submits the staged records, sends the replies that are ready, and checks them. */
void answer(const char *expected);

/* n lines of one byte each. */
const char *lines(size_t n);
