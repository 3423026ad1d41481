/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/print.h"

int print_text(const char *text)
{
    int r = fputs(text, stdout) < 0 || fflush(stdout) != 0 ? -errno : 0;

    if (r < 0)
        (void)fprintf(stderr, "%s: standard output: %s\n", program_invocation_short_name,
                      strerror(-r));
    return r;
}
