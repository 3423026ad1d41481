/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "answerd/limits.h"
#include "base/macros.h"
#include "base/parse.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

/* The first line of a file that begins with `prefix`, without its LF; false where there is none. */
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

/* The least memory.max from this process's group up to the root, which in a namespace of its own,
 * a container's, has one too (cgroup_namespaces(7)). */
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
