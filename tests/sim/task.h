/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"

/*
 * The scheduler. There is one thread: the seed chooses the next of all tasks that can run. If none
 * can, time jumps to the next alarm.
 */

/* Embedded in its owner. A task that is all zero except for `run` has nothing to do. */
struct sim_task {
    void (*run)(struct sim_task *task);
    size_t place; /* among the runnable tasks, from 1; 0: not runnable */
};

void sim_tasks_begin(bool plain);
void sim_tasks_end(void);

/* Makes it runnable. Repeated calls count once. */
void sim_task_queue(struct sim_task *task);
void sim_task_unqueue(struct sim_task *task);

/* One turn of the world: due alarms ring, then one task runs. Time does not go beyond `until`.
 * Returns false if nothing happened, since nothing is left to happen before that. */
bool sim_turn(uint64_t until);
uint64_t sim_turns(void);
