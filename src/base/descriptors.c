/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/resource.h>

#include "base/descriptors.h"

uint64_t descriptors_raise_limit(void)
{
    struct rlimit limit = { 0 };

    /* Fails only for unknown resources (getrlimit(2)). */
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = { .rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max };

        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            return raised.rlim_cur;
    }
    return limit.rlim_cur;
}
