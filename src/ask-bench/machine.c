/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask-bench/machine.h"

/* Each processor has a line with its name. Some architectures have none. */
static void read_processor(struct machine *m)
{
    FILE *f = fopen("/proc/cpuinfo", "re");
    char line[256];

    (void)snprintf(m->processor, sizeof m->processor, "unknown");
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        char *value = strchr(line, ':');

        if (strncmp(line, "model name", 10) != 0 || !value)
            continue;
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, "\n")] = '\0';
        (void)snprintf(m->processor, sizeof m->processor, "%.*s", (int)sizeof m->processor - 1,
                       value);
        break;
    }
    (void)fclose(f);
}

void machine_read(struct machine *ret)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

    memset(ret, 0, sizeof *ret);
    read_processor(ret);
    ret->processors = sysconf(_SC_NPROCESSORS_ONLN);
    ret->memory = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
    if (uname(&ret->system) < 0)
        (void)snprintf(ret->system.release, sizeof ret->system.release, "unknown");
}
