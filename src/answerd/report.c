/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "answerd/report.h"
#include "base/macros.h"

void report_stderr(_unused_ void *userdata, const char *line)
{
    (void)fprintf(stderr, "answerd: %s\n", line);
}
