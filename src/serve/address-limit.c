/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "serve/address-limit.h"

struct address_count {
    uint8_t address[16]; /* first: the tree compares only this */
    uint64_t n;
};

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(((struct address_count *)NULL)->address));
}

void address_limit_init(struct address_limit *l, uint64_t max)
{
    *l = (struct address_limit){ .lock = PTHREAD_MUTEX_INITIALIZER };
    atomic_init(&l->max, max);
}

void address_limit_deinit(struct address_limit *l)
{
    tdestroy(l->tree, free);
    l->tree = NULL;
    (void)pthread_mutex_destroy(&l->lock);
}

static bool claim_locked(struct address_limit *l, const struct peer *peer, uint64_t max)
{
    struct address_count **found = tfind(peer->address, &l->tree, compare), *new;

    if (found) {
        if ((*found)->n >= max)
            return false;
        (*found)->n++;
        return true;
    }
    new = calloc(1, sizeof *new);
    if (!new)
        return false;
    memcpy(new->address, peer->address, sizeof new->address);
    new->n = 1;
    if (tsearch(new, &l->tree, compare))
        return true;
    free(new);
    return false;
}

bool address_limit_claim(struct address_limit *l, const struct peer *peer, bool *ret_counted)
{
    uint64_t max = atomic_load_explicit(&l->max, memory_order_relaxed);
    bool claimed;

    *ret_counted = false;
    if (max == UINT64_MAX || peer->is_unix)
        return true;
    (void)pthread_mutex_lock(&l->lock);
    claimed = claim_locked(l, peer, max);
    (void)pthread_mutex_unlock(&l->lock);
    *ret_counted = claimed;
    return claimed;
}

void address_limit_release(struct address_limit *l, const struct peer *peer)
{
    struct address_count **found, *last = NULL;

    (void)pthread_mutex_lock(&l->lock);
    found = tfind(peer->address, &l->tree, compare);
    if (found && --(*found)->n == 0) {
        last = *found;
        (void)tdelete(last, &l->tree, compare);
    }
    (void)pthread_mutex_unlock(&l->lock);
    free(last);
}
