/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "faults.h"
#include "file.h"

/*
 * The world. While it exists, it answers the system calls that the linker's --wrap intercepts
 * (`wrapped` lists them) in place of the kernel. There is one world at a time, for one process.
 *
 *     sim_seed_draw(number);
 *     sim_world_begin(SIM_BY_SEED);
 *     listening sockets, actors, fibers that run workers …
 *     while (sim_turn(until)) …
 *     sim_world_end();
 */

enum sim_world_kind {
    SIM_BY_SEED, /* sizes, times and faults are drawn */
    SIM_PLAIN,   /* Linux defaults, without delays or faults */
};

void sim_world_begin(enum sim_world_kind kind, bool verbose);
/* Closes what the process has open, and forgets everything. Free the fibers first. */
void sim_world_end(void);

extern bool sim_world_stands;

/* While it stands aside, calls go to the kernel, and memory is not tracked. The time is still the
 * world's. For what is beside the simulated part of the program. */
void sim_world_stand_aside(bool aside);
extern bool sim_world_is_aside;

/* From now on nothing fails at random, and new connections are quick. If something is not answered
 * then within a while, it is stuck. */
void sim_world_turn_fair(void);

/* Kills the process: closes all its descriptors, and frees its memory. Free its fibers first. Files
 * that others hold, such as inherited sockets, live on. */
void sim_world_kill(void);

/* Reports leaks of the process as violations: descriptors other than the three standard ones and
 * the expected ones, memory, watched files. Call it when everything should be gone. */
void sim_world_look_for_leaks(size_t open_descriptors);
/* The same for the whole world, after all actors have closed their files. */
void sim_world_look_for_streams(void);

/* --- for the files that answer calls --- */

/* At the start of each call: time passes, and others may run first. */
void sim_call_enter(void);
/* At the end of each call: traces it, and returns -1 with errno, or the result. */
int64_t sim_call_leave(const char *name, int fd, uint64_t argument, int64_t result);
/* The file of a descriptor. NULL: none. A fiber that asks for a closed descriptor has a bug. */
struct sim_file *sim_call_file(const char *name, int fd);
/* For a call that would block on a blocking file. False: the file is non-blocking, or nothing will
 * ever happen. */
bool sim_call_block(struct sim_file *file, int flags);
