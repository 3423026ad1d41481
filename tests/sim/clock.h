/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * The world's time in nanoseconds, and its alarms. Time passes with each system call, and jumps to
 * the next alarm when no task can run.
 */

#define SIM_US    UINT64_C(1000)
#define SIM_MS    UINT64_C(1000000)
#define SIM_S     UINT64_C(1000000000)
#define SIM_NEVER UINT64_MAX

/* Embedded in its owner. An all-zero alarm is not set. */
struct sim_alarm {
    uint64_t at, order;
    size_t place; /* in the heap, from 1; 0: not set */
    void (*ring)(struct sim_alarm *alarm);
};

void sim_clock_begin(bool plain);
void sim_clock_end(void); /* forgets all alarms */

uint64_t sim_now(void);
uint64_t sim_started(void); /* when the clock began: uptime does not start at 0 */
void sim_clock_pass(uint64_t ns);
/* Sets only CLOCK_REALTIME. */
void sim_clock_set_back(int64_t ns);
/* clock_gettime(2): the coarse clocks step by 4 ms. 0 or a negative errno. */
int sim_clock_read(clockid_t id, struct timespec *ret);

/* Sets or moves an alarm. Alarms due at the same moment ring in the order they were set. */
void sim_alarm_set(struct sim_alarm *alarm, uint64_t at, void (*ring)(struct sim_alarm *));
void sim_alarm_cancel(struct sim_alarm *alarm);
static inline bool sim_alarm_pending(const struct sim_alarm *alarm)
{
    return alarm->place > 0;
}

uint64_t sim_alarm_next(void); /* time of the next alarm, or SIM_NEVER */
void sim_alarms_ring(void);    /* all due alarms */
size_t sim_alarms_count(void);
