/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "ask-bench/message.h"
#include "ask-bench/options.h"
#include "ask-bench/stats.h"
#include "net/address.h"

/* Questions in flight at a time in a round of --hold, of all workers. */
#define HOLD_WINDOW 256

/* What a worker process is given. All is borrowed from the coordinator, before it forks. */
struct worker_task {
    const struct options *options;
    const struct message *message;
    const struct sockaddr_any *target;
    const struct sources *sources;
    const struct control *control; /* shared memory */
    struct worker_stats *stats;    /* shared memory, of this worker alone */
    int wake_fd;                   /* an eventfd written when control has changed */
    int done_fd;                   /* an eventfd written when stats->settled has changed */
    uint32_t index, count;         /* which of how many workers */
};

/* The process's whole life: one loop, many clients. Returns 0 when the run is over, or a negative
 * errno that made it impossible. */
int worker_run(const struct worker_task *task);

/* How many connections worker `index` of `count` has. */
uint32_t worker_clients(const struct options *o, uint32_t count, uint32_t index);
