/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Threads of the program are fibers. Whoever joins one, and is none itself, lets the world turn
 * meanwhile.
 */

void sim_threads_begin(void);
/* Wherever they stand: the process has been killed, or all have been joined. */
void sim_threads_end(void);

/* The number of the thread that runs, in the order in which they were made; -1: it is none. */
int sim_thread_self(void);

/* Called after each turn that the world makes while somebody joins; NULL: nothing is. */
void sim_threads_set_turned(void (*turned)(void));
