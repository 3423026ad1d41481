/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Tracks the program's memory from malloc(3) and mmap(2). It finds leaks, double frees, and frees
 * of memory that was never allocated.
 */

void sim_memory_begin(bool plain);
void sim_memory_end(void); /* frees the books, but not the blocks */

void sim_memory_note(void *block, size_t size);
/* Removes a block from the books. Returns whether it was there. *ret_size may be NULL. */
bool sim_memory_strike(void *block, size_t *ret_size);
void sim_memory_map(void *at, size_t size);
void sim_memory_unmap(void *at, size_t size);

size_t sim_memory_blocks(void);
size_t sim_memory_bytes(void);
size_t sim_memory_mapped(void);
/* The oldest remaining block: its number among all allocations, and its size. */
bool sim_memory_oldest(uint64_t *ret_number, size_t *ret_size);
/* The process was killed: frees all blocks, and unmaps all maps. */
void sim_memory_abandon(void);
