/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/peer.h"

/*
 * Counts connections by peer address, for MaxConnectionsPerAddress=. Shared by all workers, under a
 * lock that is taken only when a connection is accepted or closed. UNIX peers have no address and
 * are not counted.
 */
struct address_limit {
    pthread_mutex_t lock;
    void *tree;                /* tsearch(3) */
    atomic_uint_least64_t max; /* UINT64_MAX: no limit, and nothing more is counted */
};

void address_limit_init(struct address_limit *l, uint64_t max);
void address_limit_deinit(struct address_limit *l);

/* Whether one more connection may come from that address; not where memory is out. *ret_counted:
 * whether it was counted, and has to be released at its end. From any thread. */
bool address_limit_claim(struct address_limit *l, const struct peer *peer, bool *ret_counted);
/* A connection that was counted has ended. From any thread. */
void address_limit_release(struct address_limit *l, const struct peer *peer);
