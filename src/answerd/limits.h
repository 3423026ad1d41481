/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* The memory that this process may have, bytes: the machine's, or less where a memory.max of its
 * control groups says so (cgroup v2). */
uint64_t limits_memory(void);
