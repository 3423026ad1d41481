/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/session.h"
#include "serve/address-limit.h"

struct committer;
struct context;

/*
 * What the workers share besides immutable settings. Workers write to it when connections come and
 * go, never between a message and its reply. The main thread sets the limits.
 */
struct shared {
    /* 64 random bits in hexadecimal, which make record IDs unique across restarts. */
    char run_id[RUN_ID_MAX + 1];
    struct committer *committer; /* of the record log; NULL: there is none */
    const char *journal_path;    /* NULL: journald's own socket */
    bool show;                   /* also show on standard error what goes to the journal */
    struct context **contexts;   /* of all workers, for their whole life */
    unsigned n_contexts;
    int notify_fd; /* eventfd: a worker has carried out a command, or ended */

    atomic_uint_least64_t last_connection; /* the number of the last connection */
    atomic_uint_least64_t n_connections;   /* connections with a place, on all workers */
    atomic_uint_least64_t max_connections;
    atomic_size_t memory_limit; /* for the buffers of one worker's connections, in bytes */
    struct address_limit addresses;
};
