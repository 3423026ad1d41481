/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * A coroutine with a stack of its own, for what is a thread in the real program: it runs until it
 * sleeps or lets others go first.
 */

struct sim_fiber;

/* It can go on at once. */
struct sim_fiber *sim_fiber_new(void (*run)(void *userdata), void *userdata);
/* Wherever it stands: what it would have done is not done. */
void sim_fiber_free(struct sim_fiber *fiber);
bool sim_fiber_ended(const struct sim_fiber *fiber);

/* The one that runs now, or NULL. */
struct sim_fiber *sim_fiber_self(void);
/* Lets others go first. */
void sim_fiber_yield(void);
/* Until somebody wakes it, or until then. */
void sim_fiber_sleep(uint64_t until);
void sim_fiber_wake(struct sim_fiber *fiber);
