/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "answerd/config.h"
#include "serve/shared.h"

/* The memory that this process may have, bytes: the machine's, or less where a memory.max of its
 * control groups says so (cgroup v2). */
uint64_t limits_memory(void);

/* Sets what workers may use up, from the configuration and what the system allows. 0; -EMFILE where
 * not one connection could be held. */
int limits_set(struct shared *shared, const struct config *config, unsigned n_workers,
               size_t n_listeners);
