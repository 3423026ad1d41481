/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "ask-bench/message.h"
#include "ask-bench/options.h"
#include "ask-bench/stats.h"
#include "net/address.h"
#include "net/tls-client.h"

/* Questions in flight in a round of --hold, of all workers. */
#define HOLD_WINDOW 256

/* The task of a worker process. All is borrowed from the coordinator, before the fork. */
struct worker_task {
    const struct options *options;
    const struct message *message;
    const struct sockaddr_any *target;
    const struct sources *sources;
    struct tls_client *tls;        /* NULL: without TLS */
    const struct control *control; /* shared memory */
    struct worker_stats *stats;    /* shared memory; only this worker writes to it */
    int wake_fd;                   /* an eventfd; the coordinator writes to it when control has
                                      changed */
    int done_fd;                   /* an eventfd; the worker writes to it when stats->settled has
                                      changed */
    uint32_t index, count;         /* which of how many workers */
};

/* Runs the worker process: one loop, many clients. Returns 0 after the run, or a negative errno
 * that made it impossible. */
int worker_run(const struct worker_task *task);

/* The number of connections of worker `index` of `count`. */
uint32_t worker_clients(const struct options *o, uint32_t count, uint32_t index);
