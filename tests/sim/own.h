/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/*
 * Memory of the world itself. The program's calls of malloc() and the like are answered by the
 * world (memory.c), which may say no and which counts; what the world needs comes from libc, under
 * the names that the linker gives to what --wrap has replaced.
 */

void *sim_own_alloc(size_t size);               /* zeroed; ends the process where there is none */
void *sim_own_resize(void *block, size_t size); /* likewise, but for the zeroes */
void sim_own_free(void *block);
