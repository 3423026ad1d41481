/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "answerd/shared.h"

/* All workers together, as the main thread sees them. */

/* Starts n workers. 0 or a negative errno, after which crew_free() has to follow as well. */
int crew_start(struct shared *s, unsigned n);

/* Ends all workers at once, waits for them, and frees them. */
void crew_free(struct shared *s);

/* Sends enum worker_command bits to all. */
void crew_command(struct shared *s, unsigned commands);

/* Whether all have carried out the first n plans. */
bool crew_plans_done(const struct shared *s, unsigned n);

/* Whether the threads have come to their end. */
bool crew_all_ended(const struct shared *s);
bool crew_any_ended(const struct shared *s);
