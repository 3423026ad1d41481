/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ask-bench/options.h"
#include "ask-bench/result.h"

/*
 * Starts the workers, leads them through the steps of the run, and gathers what they counted.
 *
 * SIGINT and SIGTERM end the run early, with what there is so far; a second one at once. They and
 * SIGCHLD stay blocked. What cannot be done is said on stderr.
 *
 * Returns 0 with *ret filled in (for result_deinit(), options borrowed), or a negative errno. The
 * workers may still be closing their connections.
 */
int coordinator_run(const struct options *o, struct result *ret);

/* Waits until the workers have gone, and all connections with them. */
void coordinator_wait(void);

/* Descriptors that a worker needs for other things than connections, at the most. */
uint64_t coordinator_reserved_descriptors(void);

/* Descriptors that a worker may use for connections, of `limit`. */
uint64_t coordinator_usable_descriptors(uint64_t limit);

/* How many workers a run has. descriptors: the limit of one process. */
uint32_t coordinator_workers(const struct options *o, uint64_t descriptors);
