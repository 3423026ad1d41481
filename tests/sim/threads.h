/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Fibers in place of the program's threads. If the main program joins one, the world turns
 * meanwhile.
 */

void sim_threads_begin(void);
/* Ends them at any point: the process was killed, or all threads were joined. */
void sim_threads_end(void);

/* The number of the current thread, in order of creation; -1: not a thread. */
int sim_thread_self(void);

/* Called after each turn of the world during a join. NULL: none. */
void sim_threads_set_turned(void (*turned)(void));
