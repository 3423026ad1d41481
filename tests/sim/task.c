/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "task.h"
#include "own.h"
#include "seed.h"

/* A task takes some time. Otherwise a task that keeps retrying would stop all alarms from
 * ringing. */
#define TASK_NS SIM_US

static struct {
    struct sim_task **ready;
    size_t n, capacity;
    uint64_t turns;
} tasks;

void sim_tasks_begin(bool plain)
{
    (void)plain;
    tasks.n = 0;
    tasks.turns = 0;
}

void sim_tasks_end(void)
{
    while (tasks.n > 0)
        sim_task_unqueue(tasks.ready[tasks.n - 1]);
    sim_own_free(tasks.ready);
    tasks.ready = NULL;
    tasks.capacity = 0;
}

void sim_task_queue(struct sim_task *task)
{
    if (task->place > 0)
        return;
    if (tasks.n == tasks.capacity) {
        tasks.capacity = tasks.capacity > 0 ? 2 * tasks.capacity : 256;
        tasks.ready = sim_own_resize(tasks.ready, tasks.capacity * sizeof(struct sim_task *));
    }
    tasks.ready[tasks.n++] = task;
    task->place = tasks.n;
}

void sim_task_unqueue(struct sim_task *task)
{
    struct sim_task *last;

    if (task->place == 0)
        return;
    last = tasks.ready[--tasks.n];
    tasks.ready[task->place - 1] = last;
    last->place = task->place;
    task->place = 0;
}

bool sim_turn(uint64_t until)
{
    struct sim_task *task;
    uint64_t next = sim_alarm_next();

    if (tasks.n == 0) {
        if (next == SIM_NEVER || next > until) {
            if (until != SIM_NEVER && until > sim_now())
                sim_clock_pass(until - sim_now());
            return false;
        }
        if (next > sim_now())
            sim_clock_pass(next - sim_now());
    }
    tasks.turns++;
    sim_alarms_ring();
    if (tasks.n > 0) {
        task = tasks.ready[sim_below((uint32_t)tasks.n)];
        sim_task_unqueue(task);
        sim_clock_pass(TASK_NS);
        task->run(task);
    }
    return true;
}

uint64_t sim_turns(void)
{
    return tasks.turns;
}
