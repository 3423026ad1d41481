/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "faults.h"
#include "fiber.h"
#include "seed.h"

/* The highest rate of each, per million calls, and its name. */
static const struct {
    const char *name;
    uint32_t most;
} kinds[SIM_FAULTS] = {
    [SIM_INTERRUPT] = { "interrupted calls", 100000 },
    [SIM_SHORT] = { "short reads and writes", 300000 },
    [SIM_NO_MEMORY] = { "failed allocations", 20000 },
    [SIM_NO_KERNEL] = { "calls without kernel memory", 20000 },
    [SIM_NO_DESCRIPTOR] = { "calls without a descriptor", 50000 },
    [SIM_ACCEPT] = { "failed accepts", 100000 },
    [SIM_DISTURB] = { "wake-ups without news", 200000 },
    [SIM_SWITCH] = { "switches of threads", 300000 },
    [SIM_STALL] = { "pauses of the process", 1000 },
    [SIM_TIMESHIFT] = { "settings of the clock", 1000 },
    [SIM_DISK_ERROR] = { "failed disk accesses", 10000 },
    [SIM_DISK_FULL] = { "writes without room", 50000 },
};

static struct {
    uint32_t rate[SIM_FAULTS];
    uint64_t count[SIM_FAULTS];
} faults;

void sim_faults_begin(bool plain)
{
    memset(&faults, 0, sizeof faults);
    for (int i = 0; i < SIM_FAULTS && !plain; i++)
        faults.rate[i] = sim_rate(kinds[i].most);
}

void sim_faults_stop(void)
{
    for (int i = 0; i < SIM_FAULTS; i++)
        if (i != SIM_SWITCH)
            faults.rate[i] = 0;
}

void sim_fault_set(enum sim_fault fault, uint32_t rate)
{
    faults.rate[fault] = rate;
}

bool sim_fault(enum sim_fault fault)
{
    if (faults.rate[fault] == 0 || !sim_fiber_self() || !sim_chance(faults.rate[fault]))
        return false;
    faults.count[fault]++;
    return true;
}

uint64_t sim_fault_count(enum sim_fault fault)
{
    return faults.count[fault];
}

const char *sim_fault_name(enum sim_fault fault)
{
    return kinds[fault].name;
}
