/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ask-bench/options.h"
#include "ask-bench/result.h"

/*
 * Starts the workers, leads them through the steps of the run, and gathers their counts.
 *
 * SIGINT or SIGTERM ends the run early and keeps the results so far; a second one ends it at once.
 * Both signals and SIGCHLD stay blocked. Errors are reported on stderr.
 *
 * Returns 0 and *ret (free it with result_deinit(); options are borrowed), or a negative errno. The
 * workers may still be closing their connections.
 */
int coordinator_run(const struct options *o, struct result *ret);

/* Waits until the workers have exited and all connections are closed. */
void coordinator_wait(void);

/* The most descriptors that a worker needs besides its connections. */
uint64_t coordinator_reserved_descriptors(void);

/* The part of `limit` that a worker may use for connections. */
uint64_t coordinator_usable_descriptors(uint64_t limit);

/* The number of workers in a run. descriptors: the limit of one process. */
uint32_t coordinator_workers(const struct options *o, uint64_t descriptors);
