/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/*
 * Memory of the world itself. The world answers the program's calls of malloc() and the like
 * (memory.c): it may refuse, and it counts. For itself the world uses libc, under the names that
 * the linker gives to wrapped functions.
 */

void *sim_own_alloc(size_t size);               /* zeroed; ends the process if out of memory */
void *sim_own_resize(void *block, size_t size); /* likewise, but not zeroed */
void sim_own_free(void *block);
