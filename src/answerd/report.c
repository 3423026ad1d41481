/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <stdio.h>

#include "answerd/report.h"
#include "base/macros.h"

void report_stderr(_unused_ void *userdata, const char *line)
{
    (void)fprintf(stderr, "answerd: %s\n", line);
}

void report_first(void *userdata, const char *line)
{
    char *text = userdata;

    if (!*text)
        (void)snprintf(text, PATH_MAX, "%s", line);
}
