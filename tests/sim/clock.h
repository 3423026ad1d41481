/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * The world's time, in nanoseconds, and what will happen in it. It passes when a system call is
 * made, and jumps to the next alarm when nobody has anything to do.
 */

#define SIM_US    UINT64_C(1000)
#define SIM_MS    UINT64_C(1000000)
#define SIM_S     UINT64_C(1000000000)
#define SIM_NEVER UINT64_MAX

/* Embedded in its owner; all zero is one that is not set. */
struct sim_alarm {
    uint64_t at, order;
    size_t place; /* in the heap, from 1; 0: not set */
    void (*ring)(struct sim_alarm *alarm);
};

void sim_clock_begin(bool plain);
void sim_clock_end(void); /* forgets all alarms */

uint64_t sim_now(void);
uint64_t sim_started(void); /* when the clock began: uptime is not 0 then */
void sim_clock_pass(uint64_t ns);
/* CLOCK_REALTIME alone: somebody sets it. */
void sim_clock_set_back(int64_t ns);
/* clock_gettime(2): the coarse clocks step by 4 ms. 0 or a negative errno. */
int sim_clock_read(clockid_t id, struct timespec *ret);

/* Sets or moves. What is due at the same moment rings in the order in which it was set. */
void sim_alarm_set(struct sim_alarm *alarm, uint64_t at, void (*ring)(struct sim_alarm *));
void sim_alarm_cancel(struct sim_alarm *alarm);
static inline bool sim_alarm_pending(const struct sim_alarm *alarm)
{
    return alarm->place > 0;
}

uint64_t sim_alarm_next(void); /* when the first is due, or SIM_NEVER */
void sim_alarms_ring(void);    /* all that are due */
size_t sim_alarms_count(void);
