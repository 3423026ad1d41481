/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The only source of chance. A run is a sequence of decisions, each a number. The seed draws them,
 * or a list of earlier ones is replayed. By convention 0 is the least harmful decision, and a
 * replayed list continues with 0 forever. So a failing run can be shortened by deleting decisions
 * and setting them to 0.
 */

void sim_seed_draw(uint64_t seed);
/* The list must live until the next start. */
void sim_seed_replay(const uint32_t *decisions, size_t n);
/* Whether to keep the decisions, from the next start on. */
void sim_seed_keep(bool keep);
/* The kept decisions, valid until the next start. */
const uint32_t *sim_seed_kept(size_t *ret_n);
uint64_t sim_seed_count(void); /* decisions since the start */
void sim_seed_end(void);       /* forgets the kept decisions */

/* A number less than n, which is not 0. */
uint32_t sim_below(uint32_t n);

#define SIM_ALWAYS 1000000U

/* True in this many of a million cases. If the rate makes the answer certain, no decision is
 * drawn. */
bool sim_chance(uint32_t per_million);

/* From low to high, both included. low is the least harmful. */
uint32_t sim_between(uint32_t low, uint32_t high);

/* The same, but each power of two is equally likely: for sizes and spans. */
uint32_t sim_scale(uint32_t low, uint32_t high);

/* A probability for one run: often 0, otherwise up to the given one. */
uint32_t sim_rate(uint32_t up_to);
