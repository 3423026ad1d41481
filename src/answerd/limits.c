/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "answerd/limits.h"
#include "base/descriptors.h"
#include "base/macros.h"
#include "base/parse.h"
#include "record/event-log.h"

/*
 * Descriptors besides connections and listening sockets. All are reserved, since a reload may bring
 * a log, or another kind of sink, when all places are taken.
 *
 * The process:
 *   3  standard streams
 *   3  main thread: epoll, signalfd, eventfd
 *   2  events, sd_notify(3)
 *   7  reload: eventfd, folder, file, four for DNS
 *   6  log: folder, three eventfds, segment, spare
 *   5  mirror: position, segment, folder, socket, large entry
 *
 * Each worker:
 *   2  epoll, eventfd for commands
 *   2  sink to the journal: socket, large entry
 *   3  sink to the log: eventfd, and one for each of two parcels
 *   1  sink to standard error
 *   1  display on standard error
 *   1  arrival that is not a connection yet
 */
#define RESERVE            (3 + 3 + 2 + 7 + 6 + 5)
#define RESERVE_PER_WORKER (2 + 2 + 3 + 1 + 1 + 1)

#define CGROUP_ROOT "/sys/fs/cgroup"

/* The first line that begins with `prefix`, without its LF. False if there is none. */
static bool read_line(const char *path, const char *prefix, char *line, int size)
{
    FILE *f = fopen(path, "re");
    bool found = false;

    if (!f)
        return false;
    while (!found && fgets(line, size, f))
        found = strncmp(line, prefix, strlen(prefix)) == 0;
    (void)fclose(f);
    if (found)
        line[strcspn(line, "\n")] = '\0';
    return found;
}

/* The least memory.max from this process's group up to the root. In a cgroup namespace, as in a
 * container, the root has one, too (cgroup_namespaces(7)). */
static uint64_t cgroup_memory(void)
{
    static const char unified[] = "0::";
    char line[PATH_MAX], path[PATH_MAX + 64], text[32];
    uint64_t least = UINT64_MAX, max;

    if (!read_line("/proc/self/cgroup", unified, line, sizeof line))
        return least;
    for (char *group = line + strlen(unified), *end;; *end = '\0') {
        (void)snprintf(path, sizeof path, CGROUP_ROOT "%s/memory.max", group);
        if (read_line(path, "", text, sizeof text) && parse_u64(text, &max) == 0)
            least = MIN(least, max);
        end = strrchr(group, '/');
        if (!end)
            return least;
    }
}

uint64_t limits_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t machine = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;

    return MIN(machine, cgroup_memory());
}

int limits_set(struct shared *shared, const struct config *config, unsigned n_workers,
               size_t n_listeners)
{
    uint64_t descriptors = descriptors_raise_limit(),
             memory = config->memory_limit ?: limits_memory() / 4;
    uint64_t reserve = RESERVE + RESERVE_PER_WORKER * n_workers + n_listeners;
    uint64_t possible = descriptors > reserve ? descriptors - reserve : 0,
             max = config->max_connections ?: possible;

    if (possible == 0)
        return -EMFILE;
    if (max != UINT64_MAX && max > possible)
        event_log(EVENT_NOTICE,
                  "MaxConnections=%" PRIu64 " is too high for a limit of %" PRIu64
                  " descriptors: using %" PRIu64,
                  max, descriptors, possible);
    atomic_store(&shared->max_connections, MIN(max, possible));
    atomic_store(&shared->addresses.max, config->max_connections_per_address);
    atomic_store(&shared->memory_limit, (size_t)MIN(memory / n_workers, (uint64_t)SIZE_MAX / 2));
    return 0;
}
