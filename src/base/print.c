/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "base/print.h"

int print_text(const char *text)
{
    return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? -errno : 0;
}
