/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operator, who reloads, drains, stops and kills at any moment; and systemd, which starts the
 * program again. */

#include "../clock.h"
#include "../descriptors.h"
#include "../disk.h"
#include "../epoll.h"
#include "../seed.h"
#include "../trace.h"
#include "book.h"
#include "others.h"
#include "process.h"

static struct {
    struct sim_alarm alarm;
    uint32_t pause_us;
    unsigned actions_left;
    bool due;
} operator;

static void on_alarm(struct sim_alarm *alarm)
{
    (void)alarm;
    operator.due = true;
}

static void wait_for_the_next(void)
{
    if (operator.actions_left> 0)
        sim_alarm_set(&operator.alarm, sim_now() + sim_scale(1, operator.pause_us) * SIM_US,
                      on_alarm);
}

void operator_begin(void)
{
    operator.actions_left = sim_below(2) ? sim_scale(1, 32) : 0;
    operator.pause_us = sim_scale(1000, 1 << 23);
    operator.due = false;
    wait_for_the_next();
}

bool operator_is_due(void)
{
    return operator.due;
}

static void limit_the_system(void)
{
    if (setups_have_log() && sim_below(2) > 0)
        sim_disk_limit(sim_below(2) > 0 ? sim_scale(1 << 16, 1 << 22) : UINT64_MAX);
    else if (sim_below(2) > 0)
        sim_epoll_limit(sim_below(2) > 0 ? sim_scale(4, 64) : UINT32_MAX);
    else
        sim_descriptors_limit(sim_below(2) > 0 ? (int)sim_scale(24, 128) : 1024, SIZE_MAX);
}

void operator_act(void)
{
    operator.due = false;
    if (operator.actions_left> 0)
        operator.actions_left--;
    if (!process.up) {
        sim_epoll_limit(UINT32_MAX);
        sim_descriptors_limit(1024, SIZE_MAX);
        process_begin();
        wait_for_the_next();
        return;
    }
    switch (sim_below(16)) {
    case 15:
        process_stop();
        break;
    case 14:
        if (setups_have_log() && sim_below(4) > 0)
            process_crash();
        else
            process_kill();
        break;
    case 13:
        process_drain();
        process_ping();
        break;
    case 12:
        process_drain();
        process_stop();
        break;
    case 11:
    case 10:
        limit_the_system();
        break;
    case 9:
    case 8:
    case 7:
        process_limit(false);
        break;
    case 6:
    case 5:
    case 4:
        if (!process.draining)
            process_reload(false);
        break;
    default:
        process_ping();
        break;
    }
    /* It does not stay down. */
    if (!process.up && operator.actions_left == 0)
        operator.actions_left = 1;
    wait_for_the_next();
}

void operator_turn_fair(void)
{
    sim_alarm_cancel(&operator.alarm);
    operator.actions_left = 0;
    operator.due = false;
    sim_epoll_limit(UINT32_MAX);
    sim_descriptors_limit(1024, SIZE_MAX);
}

void operator_end(void)
{
    sim_alarm_cancel(&operator.alarm);
}
