/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "alone.h"

/* A recorder on its own: its worker never takes a turn here. */

#define MS              UINT64_C(1000) /* in µs */
#define RECORDER_OWNERS 16

extern struct recorder *recorder;
extern struct source owners[RECORDER_OWNERS]; /* of slots; no worker knows them */

/* The fixture of every case. */
void recorder_stand_begin(void);
void recorder_stand_end(void);

/* Stages one more record. Returns the result of recorder_stage(). */
int stage_one(void);

/* Stages n records for that slot. NULL: no reply waits for them. */
void stage_for(struct slot *s, unsigned n);

/* A new slot with n staged records. */
struct slot *stage(struct source *owner, unsigned n);

/* Lets this time pass, then runs recorder_check(). */
void pass(uint64_t us);

/* Dispatches the events in the loop. False if there are none. */
bool dispatch(void);

/* Checks the state and how long it sleeps. RECORDER_NEVER: until an event. */
void check_state(enum recorder_state state, uint64_t sleeps_us);
