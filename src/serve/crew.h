/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "serve/worker.h"

/* All workers, each with a thread, as the main thread sees them. */
struct crew {
    struct worker **workers;
    pthread_t *threads;
    unsigned n;         /* workers */
    unsigned n_started; /* of their threads */
};

/* Starts n workers, which share `shared`, and fills in its workers and run_id. 0 or a negative
 * errno; crew_stop() has to follow in both cases. */
int crew_start(struct crew *c, struct shared *shared, unsigned n);

/* Ends all workers at once, waits for all, and then frees them. None is freed earlier, since
 * workers look at each other until the last has ended. */
void crew_stop(struct crew *c, struct shared *shared);

/* Sends enum command bits to all. */
void crew_command(const struct crew *c, unsigned commands);

/* Whether all have carried out the first n plans. */
bool crew_plans_done(const struct crew *c, unsigned n);

/* Whether all that have not ended have answered n pings. */
bool crew_pings_answered(const struct crew *c, unsigned n);

/* Whether all workers, or any, have come to their end. */
bool crew_all_ended(const struct crew *c);
bool crew_any_ended(const struct crew *c);
