/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Raises RLIMIT_NOFILE as far as it goes, and returns it. epoll has no use for the soft limit,
 * which is there for select(2). */
uint64_t limits_descriptors(void);

/* The memory that this process may have, bytes: the machine's, or less where a memory.max of its
 * control groups says so (cgroup v2). */
uint64_t limits_memory(void);
