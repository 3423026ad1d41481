/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "serve/worker.h"

/* All workers, each with its thread, as seen by the main thread. */
struct crew {
    struct worker **workers;
    pthread_t *threads;
    unsigned n;         /* workers */
    unsigned n_started; /* workers whose threads run */
};

/* Draws the random run_id, which makes record IDs unique across restarts. 0 or a negative errno. */
int crew_make_run_id(struct shared *shared);

/* Starts n workers that share `shared`, and sets its contexts. 0 or a negative errno. Call
 * crew_stop() in both cases. */
int crew_start(struct crew *c, struct shared *shared, unsigned n);

/* Ends all workers immediately, waits for them, then frees them. None is freed earlier, since
 * workers look at each other until the last one has ended. */
void crew_stop(struct crew *c, struct shared *shared);

/* Sends enum command bits to all. */
void crew_command(const struct crew *c, unsigned commands);

/* Whether all workers have carried out the first n plans. */
bool crew_plans_done(const struct crew *c, unsigned n);

/* Whether all workers that are still running have answered n pings. */
bool crew_pings_answered(const struct crew *c, unsigned n);

/* Whether all workers, or any, have ended. */
bool crew_all_ended(const struct crew *c);
bool crew_any_ended(const struct crew *c);
