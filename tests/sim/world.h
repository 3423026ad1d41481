/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "faults.h"
#include "file.h"

/*
 * The world: while it stands, the system calls that the linker's --wrap has caught (the list is in
 * `wrapped`) are answered by it instead of by the kernel. There is one at a time, for one process.
 *
 *     sim_seed_draw(number);
 *     sim_world_begin(SIM_BY_SEED);
 *     listening sockets, actors, fibers that run workers …
 *     while (sim_turn(until)) …
 *     sim_world_end();
 */

enum sim_world_kind {
    SIM_BY_SEED, /* sizes, times and faults are drawn */
    SIM_PLAIN,   /* as Linux has it, with no delay and no fault */
};

void sim_world_begin(enum sim_world_kind kind, bool verbose);
/* Closes what the process has open, and forgets everything. Fibers must have been freed. */
void sim_world_end(void);

extern bool sim_world_stands;

/* From now on nothing goes wrong by chance, and new connections are quick: what is not answered
 * then, in a while, is stuck. */
void sim_world_turn_fair(void);

/* The process is killed: all its descriptors are closed, and its memory is gone. Its fibers must
 * have been freed. Files that others hold, sockets that it inherited say, live on. */
void sim_world_kill(void);

/* What the process has not given back, as a violation: descriptors other than the three standard
 * ones and those that are meant to be open, memory, files that are watched. To be asked when all
 * should be gone. */
void sim_world_look_for_leaks(size_t open_descriptors);
/* Likewise, but of the whole world: when all actors have closed what they had, too. */
void sim_world_look_for_streams(void);

/* --- for the files that answer the calls --- */

/* At the start of each: time passes, others may go first. */
void sim_call_enter(void);
/* At the end of each: into the trace; -1 and errno, or the result. */
int64_t sim_call_leave(const char *name, int fd, uint64_t argument, int64_t result);
/* The file behind a descriptor. NULL: none, and a fiber that asks for it has a bug. */
struct sim_file *sim_call_file(const char *name, int fd);
/* A call would block, on a file that may: false: it may not, or nothing will ever happen. */
bool sim_call_block(struct sim_file *file, int flags);
