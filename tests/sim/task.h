/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"

/*
 * Who can go on. There is one thread: of all tasks that can go on the seed chooses the next, and
 * where there is none, time jumps to the next alarm.
 */

/* Embedded in its owner; all zero but for `run` is one that has nothing to do. */
struct sim_task {
    void (*run)(struct sim_task *task);
    size_t place; /* among those that can go on, from 1; 0: it is not */
};

void sim_tasks_begin(bool plain);
void sim_tasks_end(void);

/* It can go on; again and again is once. */
void sim_task_queue(struct sim_task *task);
void sim_task_unqueue(struct sim_task *task);

/* One turn of the world: what is due happens, then one task runs. Time goes no further than
 * `until`. False: nothing has happened, since nothing is left to happen before that. */
bool sim_turn(uint64_t until);
uint64_t sim_turns(void);
