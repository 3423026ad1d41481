/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/peer.h"

/*
 * Counts connections by peer address, for MaxConnectionsPerAddress=. All workers share it. Its lock
 * is taken only when a connection is accepted or closed. UNIX peers have no address and are not
 * counted.
 */
struct address_limit {
    pthread_mutex_t lock;
    void *tree;                /* tsearch(3) */
    atomic_uint_least64_t max; /* UINT64_MAX: no limit, and no counting */
};

void address_limit_init(struct address_limit *l, uint64_t max);
void address_limit_deinit(struct address_limit *l);

/* Whether one more connection is allowed from that address; false also if out of memory.
 * *ret_counted: whether it was counted and must be released later. From any thread. */
bool address_limit_claim(struct address_limit *l, const struct peer *peer, bool *ret_counted);
/* Releases a counted connection when it ends. From any thread. */
void address_limit_release(struct address_limit *l, const struct peer *peer);
