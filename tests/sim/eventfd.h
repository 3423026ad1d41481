/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "file.h"

/* eventfd(2), without EFD_SEMAPHORE. */
struct sim_file *sim_eventfd_new(uint64_t count);
bool sim_eventfd_is(const struct sim_file *file);
