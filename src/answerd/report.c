/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "answerd/report.h"
#include "base/macros.h"

void report_stderr(_unused_ void *userdata, const char *line)
{
    (void)fprintf(stderr, "answerd: %s\n", line);
}

void report_gather(void *userdata, const char *line)
{
    struct gathered *g = userdata;
    size_t room = sizeof g->text - g->n, size = strlen(line) + 1;

    if (size >= room)
        return;
    (void)snprintf(g->text + g->n, room, "%s\n", line);
    g->n += size;
}

void report_gathered(const struct gathered *g)
{
    for (const char *line = g->text; *line; line = strchr(line, '\n') + 1)
        (void)fprintf(stderr, "answerd: %.*s\n", (int)strcspn(line, "\n"), line);
}

void report_first(void *userdata, const char *line)
{
    char *text = userdata;

    if (!*text)
        (void)snprintf(text, PATH_MAX, "%s", line);
}
