/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "alone.h"
#include "serve/input.h"

/*
 * An input alone: its worker never takes a turn here. It reads one end of a socket pair, and the
 * test is the peer at the other.
 */

extern struct transport transport;
extern struct output output;
extern struct input input;
extern struct exchange exchange;
extern int peer;
extern int mistake; /* what was wrong with the last message that take() took; enum frame_error */

/* The fixture of every case. */
void input_stand_begin(void);
void input_stand_end(void);

/* Bytes that were counted as discarded. */
uint64_t discarded(void);

void pass(uint64_t ms);

/* The peer says it, and it is taken; what is said of it. */
enum session_status take(const char *text);

/* The peer says it, and it is kept for later. */
void collect(const char *text);

/* Submits what was staged, and sends what may go. */
void answer(const char *expected);

/* n lines of one byte. */
const char *lines(size_t n);
