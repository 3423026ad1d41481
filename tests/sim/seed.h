/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * All chance comes from here. A run is a sequence of decisions, each a number; the seed draws them,
 * or a list of earlier ones is replayed. By convention 0 is the decision that harms least, and a
 * replayed list that has come to its end says 0 for ever: so a failing run is shortened by deleting
 * decisions and by setting them to 0.
 */

void sim_seed_draw(uint64_t seed);
/* The list must stay until the next start. */
void sim_seed_replay(const uint32_t *decisions, size_t n);
/* Keeps the decisions from the next start on. */
void sim_seed_keep(bool keep);
/* What was kept, which stays until the next start. */
const uint32_t *sim_seed_kept(size_t *ret_n);
uint64_t sim_seed_count(void); /* decisions since the start */
void sim_seed_end(void);       /* forgets what was kept */

/* Less than n, which is not 0. */
uint32_t sim_below(uint32_t n);

#define SIM_ALWAYS 1000000U

/* True in so many of a million cases. Where nobody could tell, nothing is decided. */
bool sim_chance(uint32_t per_million);

/* From low to high, both included; the harmless end is low. */
uint32_t sim_between(uint32_t low, uint32_t high);

/* Likewise, but each power of two as often as the next: for sizes and spans. */
uint32_t sim_scale(uint32_t low, uint32_t high);

/* A probability for one run: often none at all, else up to the given one. */
uint32_t sim_rate(uint32_t up_to);
