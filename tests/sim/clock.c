/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "clock.h"
#include "own.h"
#include "seed.h"

#define COARSE_NS (4 * SIM_MS)
#define BOOT_NS   (1000 * SIM_S)
#define EPOCH_NS  (UINT64_C(1700000000) * SIM_S)

static struct {
    uint64_t now, started, real_offset, order;
    struct sim_alarm **heap; /* indices start at 1 */
    size_t n, capacity;
} time_;

int __real_clock_gettime(clockid_t id, struct timespec *t);

/* Continues from the test's own clock, which runs on after the world ends. */
static uint64_t real_clock(void)
{
    struct timespec t;

    (void)__real_clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SIM_S + (uint64_t)t.tv_nsec;
}

void sim_clock_begin(bool plain)
{
    time_.n = 0;
    time_.order = 0;
    time_.started = BOOT_NS + sim_below(1000000000);
    if (plain)
        time_.started = real_clock();
    time_.now = time_.started;
    time_.real_offset = EPOCH_NS;
}

void sim_clock_end(void)
{
    while (time_.n > 0)
        sim_alarm_cancel(time_.heap[time_.n]);
    sim_own_free(time_.heap);
    time_.heap = NULL;
    time_.capacity = 0;
}

uint64_t sim_now(void)
{
    return time_.now;
}

uint64_t sim_started(void)
{
    return time_.started;
}

void sim_clock_pass(uint64_t ns)
{
    time_.now += ns;
}

void sim_clock_set_back(int64_t ns)
{
    time_.real_offset -= (uint64_t)ns;
}

int sim_clock_read(clockid_t id, struct timespec *ret)
{
    uint64_t t;

    switch (id) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
        t = time_.now;
        break;
    case CLOCK_MONOTONIC_COARSE:
        t = time_.now - time_.now % COARSE_NS;
        break;
    case CLOCK_REALTIME:
        t = time_.now + time_.real_offset;
        break;
    case CLOCK_REALTIME_COARSE:
        t = time_.now - time_.now % COARSE_NS + time_.real_offset;
        break;
    default:
        return -EINVAL;
    }
    *ret = (struct timespec){ .tv_sec = (time_t)(t / SIM_S), .tv_nsec = (long)(t % SIM_S) };
    return 0;
}

static bool before(const struct sim_alarm *a, const struct sim_alarm *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(size_t place, struct sim_alarm *alarm)
{
    time_.heap[place] = alarm;
    alarm->place = place;
}

static void sift(size_t place, struct sim_alarm *alarm)
{
    size_t child;

    for (; place > 1 && before(alarm, time_.heap[place / 2]); place /= 2)
        put(place, time_.heap[place / 2]);
    for (; (child = 2 * place) <= time_.n; place = child) {
        if (child < time_.n && before(time_.heap[child + 1], time_.heap[child]))
            child++;
        if (!before(time_.heap[child], alarm))
            break;
        put(place, time_.heap[child]);
    }
    put(place, alarm);
}

void sim_alarm_set(struct sim_alarm *alarm, uint64_t at, void (*ring)(struct sim_alarm *))
{
    if (at == SIM_NEVER) {
        sim_alarm_cancel(alarm);
        return;
    }
    alarm->at = at;
    alarm->order = time_.order++;
    alarm->ring = ring;
    if (alarm->place == 0) {
        if (time_.n + 2 > time_.capacity) {
            time_.capacity = time_.capacity > 0 ? 2 * time_.capacity : 256;
            time_.heap = sim_own_resize(time_.heap, time_.capacity * sizeof *time_.heap);
        }
        alarm->place = ++time_.n;
    }
    sift(alarm->place, alarm);
}

void sim_alarm_cancel(struct sim_alarm *alarm)
{
    size_t place = alarm->place;
    struct sim_alarm *last;

    if (place == 0)
        return;
    alarm->place = 0;
    last = time_.heap[time_.n--];
    if (last != alarm)
        sift(place, last);
}

uint64_t sim_alarm_next(void)
{
    return time_.n > 0 ? time_.heap[1]->at : SIM_NEVER;
}

void sim_alarms_ring(void)
{
    while (time_.n > 0 && time_.heap[1]->at <= time_.now) {
        struct sim_alarm *alarm = time_.heap[1];

        sim_alarm_cancel(alarm);
        alarm->ring(alarm);
    }
}

size_t sim_alarms_count(void)
{
    return time_.n;
}
