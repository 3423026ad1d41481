/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "seed.h"
#include "own.h"

static struct {
    uint64_t state[4]; /* xoshiro256++ (Blackman, Vigna) */
    const uint32_t *replay;
    size_t n_replay;
    uint64_t count;
    bool replaying, keep, keeping;
    uint32_t *kept;
    size_t n_kept, capacity;
} seed;

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t next(void)
{
    uint64_t *s = seed.state, result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

/* splitmix64 spreads the seeds, so that neighbouring seeds do not resemble each other. */
static uint64_t spread(uint64_t *x)
{
    uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void start(void)
{
    seed.count = 0;
    seed.n_kept = 0;
    seed.keeping = seed.keep;
}

void sim_seed_draw(uint64_t number)
{
    start();
    seed.replaying = false;
    for (int i = 0; i < 4; i++)
        seed.state[i] = spread(&number);
}

void sim_seed_replay(const uint32_t *decisions, size_t n)
{
    start();
    seed.replaying = true;
    seed.replay = decisions;
    seed.n_replay = n;
}

void sim_seed_keep(bool keep)
{
    seed.keep = keep;
}

const uint32_t *sim_seed_kept(size_t *ret_n)
{
    *ret_n = seed.n_kept;
    return seed.kept;
}

uint64_t sim_seed_count(void)
{
    return seed.count;
}

void sim_seed_end(void)
{
    sim_own_free(seed.kept);
    seed.kept = NULL;
    seed.n_kept = seed.capacity = 0;
    seed.keep = seed.keeping = false;
}

static void keep(uint32_t decision)
{
    if (seed.n_kept == seed.capacity) {
        seed.capacity = seed.capacity > 0 ? 2 * seed.capacity : 1024;
        seed.kept = sim_own_resize(seed.kept, seed.capacity * sizeof *seed.kept);
    }
    seed.kept[seed.n_kept++] = decision;
}

/* A replayed decision may have been made for another question. It is fitted to this one. */
uint32_t sim_below(uint32_t n)
{
    uint32_t decision;

    if (n <= 1)
        return 0;
    if (!seed.replaying)
        decision = (uint32_t)(((next() >> 32) * n) >> 32);
    else if (seed.count < seed.n_replay)
        decision = seed.replay[seed.count] % n;
    else
        decision = 0;
    seed.count++;
    if (seed.keeping)
        keep(decision);
    return decision;
}

bool sim_chance(uint32_t per_million)
{
    if (per_million == 0 || per_million >= SIM_ALWAYS)
        return per_million > 0;
    return sim_below(SIM_ALWAYS) >= SIM_ALWAYS - per_million;
}

uint32_t sim_between(uint32_t low, uint32_t high)
{
    return high <= low ? low : low + sim_below(high - low + 1);
}

uint32_t sim_scale(uint32_t low, uint32_t high)
{
    unsigned doublings = 0;
    uint32_t base;

    if (high <= low)
        return low;
    while (doublings < 31 && ((uint64_t)(low ?: 1) << (doublings + 1)) <= high)
        doublings++;
    base = (low ?: 1) << sim_below(doublings + 1);
    if (low == 0 && base == 1)
        base = 0;
    return sim_between(base, base > high / 2 ? high : base * 2);
}

uint32_t sim_rate(uint32_t up_to)
{
    switch (sim_below(4)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return sim_scale(1, up_to);
    default:
        return up_to;
    }
}
