/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "alone.h"

/* A recorder alone: its worker never takes a turn here. */

#define MS              UINT64_C(1000) /* in µs */
#define RECORDER_OWNERS 16

extern struct recorder *recorder;
extern struct source owners[RECORDER_OWNERS]; /* of slots; no worker has them */

/* The fixture of every case. */
void recorder_stand_begin(void);
void recorder_stand_end(void);

/* What recorder_stage() says of one more record. */
int stage_one(void);

/* n records of that slot; NULL: that nobody waits for. */
void stage_for(struct slot *s, unsigned n);

/* A slot that n records are staged for. */
struct slot *stage(struct source *owner, unsigned n);

/* So much time passes, and it looks again if it is time to. */
void pass(uint64_t us);

/* The loop reports what it has, and the recorder is told; false where there is nothing. */
bool dispatch(void);

/* The state, and that it sleeps so long; RECORDER_NEVER: until it is told. */
void check_state(enum recorder_state state, uint64_t sleeps_us);
