/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Raises RLIMIT_NOFILE as far as it goes without privilege, and returns it. epoll has no use for
 * the soft limit, which is there for select(2). */
uint64_t descriptors_raise_limit(void);
