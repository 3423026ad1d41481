/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "answerd/config.h"
#include "serve/shared.h"

/* The memory available to this process, in bytes: the machine's, or less if a memory.max of its
 * cgroups says so (cgroup v2). */
uint64_t limits_memory(void);

/* Sets the limits of the workers, from the configuration and the system. 0; -EMFILE if there is no
 * room for even one connection. */
int limits_set(struct shared *shared, const struct config *config, unsigned n_workers,
               size_t n_listeners);
