/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "datagram.h"
#include "descriptors.h"
#include "disk.h"
#include "epoll.h"
#include "fiber.h"
#include "memfile.h"
#include "memory.h"
#include "names.h"
#include "observer.h"
#include "seed.h"
#include "task.h"
#include "tcp.h"
#include "terminal.h"
#include "threads.h"
#include "trace.h"
#include "unix.h"
#include "world.h"

bool sim_world_stands, sim_world_is_aside;
const struct sim_observer *sim_observer;

static struct {
    uint32_t cost_ns; /* of a call, at most */
} settings;

static void open_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++)
        (void)sim_descriptor_new(sim_terminal_open(), 0);
}

void sim_world_begin(enum sim_world_kind kind, bool verbose)
{
    bool plain = kind == SIM_PLAIN;

    sim_clock_begin(plain);
    sim_trace_begin(verbose);
    sim_tasks_begin(plain);
    sim_faults_begin(plain);
    sim_memory_begin(plain);
    sim_descriptors_begin(plain);
    sim_epoll_begin(plain);
    sim_tcp_begin(plain);
    sim_unix_begin(plain);
    sim_datagram_begin(plain);
    sim_terminal_begin(plain);
    sim_memfile_begin(plain);
    sim_disk_begin(plain);
    sim_threads_begin();
    settings.cost_ns = plain ? 1000 : sim_scale(100, 100000);
    open_standard_files();
    sim_world_stands = true;
}

void sim_world_end(void)
{
    sim_world_stands = false;
    sim_observer = NULL;
    sim_threads_end();
    sim_descriptors_end();
    sim_disk_end();
    sim_terminal_end();
    sim_names_end();
    sim_tasks_end();
    sim_clock_end();
    sim_memory_end();
}

void sim_world_stand_aside(bool aside)
{
    sim_world_is_aside = aside;
    sim_world_stands = !aside;
}

void sim_world_turn_fair(void)
{
    struct sim_tcp_settings fair = *sim_tcp_settings();

    sim_faults_stop();
    sim_disk_limit(UINT64_MAX);
    fair.latency_max = MIN(fair.latency_max, (uint32_t)SIM_MS);
    fair.cut = 0;
    sim_tcp_configure(&fair);
}

void sim_world_look_for_streams(void)
{
    if (sim_tcp_count() + sim_unix_count() > 0)
        sim_violate("%zu ends of streams are left", sim_tcp_count() + sim_unix_count());
}

void sim_world_kill(void)
{
    for (int fd = sim_descriptor_next(0); fd >= 0; fd = sim_descriptor_next(fd + 1))
        if (sim_epoll_is(sim_descriptor(fd)))
            sim_epoll_sleep(sim_descriptor(fd), NULL);
    sim_descriptors_close_all();
    sim_memory_abandon();
    open_standard_files();
}

void sim_world_look_for_leaks(size_t open_descriptors)
{
    uint64_t number;
    size_t size;

    if (sim_descriptors_open() != 3 + open_descriptors)
        sim_violate("%zu descriptors are open, and should be %zu", sim_descriptors_open(),
                    3 + open_descriptors);
    if (sim_memory_oldest(&number, &size))
        sim_violate("%zu blocks of memory are left, the oldest is number %" PRIu64 ", of %zu bytes",
                    sim_memory_blocks(), number, size);
    if (sim_memory_mapped() > 0)
        sim_violate("%zu bytes are still mapped", sim_memory_mapped());
    if (sim_epoll_watches() > 0)
        sim_violate("%" PRIu32 " files are still watched", sim_epoll_watches());
}

static void stall(void)
{
    if (sim_fault(SIM_STALL))
        sim_clock_pass(sim_scale(1, 1 << 17) * SIM_MS);
    if (sim_fault(SIM_TIMESHIFT)) {
        int64_t span = (int64_t)(sim_scale(1, 1 << 25) * SIM_S);

        sim_clock_set_back(sim_below(2) > 0 ? span : -span);
    }
}

void sim_call_enter(void)
{
    sim_clock_pass(settings.cost_ns / 2 + sim_now() % (settings.cost_ns / 2 + 1));
    if (!sim_fiber_self())
        return;
    stall();
    if (sim_fault(SIM_SWITCH))
        sim_fiber_yield();
}

int64_t sim_call_leave(const char *name, int fd, uint64_t argument, int64_t result)
{
    sim_trace_call(name, fd, argument, result);
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

struct sim_file *sim_call_file(const char *name, int fd)
{
    struct sim_file *file = sim_descriptor(fd);

    if (!file && sim_fiber_self())
        sim_violate("%s() is called for descriptor %d, which is not open", name, fd);
    return file;
}

bool sim_call_block(struct sim_file *file, int flags)
{
    if (file->nonblocking || flags & MSG_DONTWAIT)
        return false;
    if (sim_fiber_self()) {
        sim_violate("a thread would stand still for a %s", file->kind->name);
        return false;
    }
    return sim_turn(SIM_NEVER);
}
