/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the program has from malloc(3) and mmap(2), so that what leaks is found, and what is freed
 * twice or was never allocated is not freed.
 */

void sim_memory_begin(bool plain);
void sim_memory_end(void); /* frees the books, and not what is in them */

void sim_memory_note(void *block, size_t size);
/* Whether it was there. *ret_size may be NULL. */
bool sim_memory_strike(void *block, size_t *ret_size);
void sim_memory_map(void *at, size_t size);
void sim_memory_unmap(void *at, size_t size);

size_t sim_memory_blocks(void);
size_t sim_memory_bytes(void);
size_t sim_memory_mapped(void);
/* The oldest block that is left: its number among all allocations, and its size. */
bool sim_memory_oldest(uint64_t *ret_number, size_t *ret_size);
/* The process has been killed: frees all blocks, and unmaps what is mapped. */
void sim_memory_abandon(void);
