/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "answerd/crew.h"
#include "answerd/worker.h"

void crew_command(struct shared *s, unsigned commands)
{
    for (unsigned i = 0; i < s->n_workers; i++)
        worker_command(s->workers[i], commands);
}

bool crew_plans_done(const struct shared *s, unsigned n)
{
    for (unsigned i = 0; i < s->n_workers; i++)
        if (atomic_load(&s->workers[i]->plans_done) < n)
            return false;
    return true;
}

bool crew_all_ended(const struct shared *s)
{
    for (unsigned i = 0; i < s->n_workers; i++)
        if (!atomic_load(&s->workers[i]->ended))
            return false;
    return true;
}

bool crew_any_ended(const struct shared *s)
{
    for (unsigned i = 0; i < s->n_workers; i++)
        if (atomic_load(&s->workers[i]->ended))
            return true;
    return false;
}

int crew_start(struct shared *s, unsigned n)
{
    int r = 0;

    s->workers = calloc(n, sizeof(struct worker *));
    if (!s->workers)
        return -ENOMEM;
    for (; s->n_workers < n && r == 0; s->n_workers += r == 0)
        r = worker_new(s, s->n_workers, &s->workers[s->n_workers]);
    return r;
}

void crew_free(struct shared *s)
{
    crew_command(s, WORKER_STOP);
    /* One that is accepting still looks at all others, and may hand a connection to any of them. */
    for (unsigned i = 0; i < s->n_workers; i++)
        worker_join(s->workers[i]);
    for (unsigned i = 0; i < s->n_workers; i++)
        worker_free(s->workers[i]);
    free(s->workers);
    s->workers = NULL;
    s->n_workers = 0;
}
