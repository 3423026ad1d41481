/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * A coroutine with its own stack, in place of a thread of the real program. It runs until it sleeps
 * or yields.
 */

struct sim_fiber;

/* It can run immediately. */
struct sim_fiber *sim_fiber_new(void (*run)(void *userdata), void *userdata);
/* Frees it at any point. Its remaining code does not run. */
void sim_fiber_free(struct sim_fiber *fiber);
bool sim_fiber_ended(const struct sim_fiber *fiber);

/* The current fiber, or NULL. */
struct sim_fiber *sim_fiber_self(void);
/* Lets others run first. */
void sim_fiber_yield(void);
/* Sleeps until woken, or until that time. */
void sim_fiber_sleep(uint64_t until);
void sim_fiber_wake(struct sim_fiber *fiber);

/* All fibers are one thread, so what a library keeps for each thread would be common to them. */
struct sim_locals {
    void *(*take)(void);       /* a fiber has stopped: its state, from sim_own_alloc(), or NULL */
    void (*give)(void *state); /* it goes on. The state is freed afterwards */
};

/* NULL: there is no such library. */
extern const struct sim_locals *sim_locals;
