/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Raises RLIMIT_NOFILE as far as possible without privilege, and returns it. The soft limit exists
 * for select(2); epoll does not need it. */
uint64_t descriptors_raise_limit(void);
