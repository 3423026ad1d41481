/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "serve/crew.h"

void crew_command(const struct crew *c, unsigned commands)
{
    for (unsigned i = 0; i < c->n; i++)
        context_command(&c->workers[i]->context, commands);
}

bool crew_plans_done(const struct crew *c, unsigned n)
{
    for (unsigned i = 0; i < c->n; i++)
        if (atomic_load(&c->workers[i]->plans_done) < n)
            return false;
    return true;
}

bool crew_pings_answered(const struct crew *c, unsigned n)
{
    for (unsigned i = 0; i < c->n; i++)
        if (atomic_load(&c->workers[i]->pings_answered) < n && !atomic_load(&c->workers[i]->ended))
            return false;
    return true;
}

bool crew_all_ended(const struct crew *c)
{
    for (unsigned i = 0; i < c->n; i++)
        if (!atomic_load(&c->workers[i]->ended))
            return false;
    return true;
}

bool crew_any_ended(const struct crew *c)
{
    for (unsigned i = 0; i < c->n; i++)
        if (atomic_load(&c->workers[i]->ended))
            return true;
    return false;
}

static void *run(void *userdata)
{
    worker_run(userdata);
    return NULL;
}

/* Signals are for the main thread, which reads them from a signalfd. */
static int start_thread(struct worker *w, pthread_t *ret)
{
    sigset_t all, before;
    char name[16];
    int r;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(ret, NULL, run, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return -r;
    (void)snprintf(name, sizeof name, "worker-%u", w->index);
    (void)pthread_setname_np(*ret, name);
    return 0;
}

int crew_make_run_id(struct shared *shared)
{
    uint64_t random;

    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return -errno;
    (void)snprintf(shared->run_id, sizeof shared->run_id, "%016" PRIx64, random);
    return 0;
}

int crew_start(struct crew *c, struct shared *shared, unsigned n)
{
    int r = 0;

    c->workers = calloc(n, sizeof(struct worker *));
    c->threads = calloc(n, sizeof(pthread_t));
    shared->contexts = calloc(n, sizeof(struct context *));
    if (!c->workers || !c->threads || !shared->contexts)
        return -ENOMEM;
    /* Create all workers before starting the first, since each looks at the others. */
    for (; c->n < n; c->n++) {
        r = worker_new(shared, c->n, &c->workers[c->n]);
        if (r < 0)
            return r;
        shared->contexts[c->n] = &c->workers[c->n]->context;
    }
    shared->n_contexts = n;
    for (; c->n_started < n; c->n_started++) {
        r = start_thread(c->workers[c->n_started], &c->threads[c->n_started]);
        if (r < 0)
            return r;
    }
    return 0;
}

void crew_stop(struct crew *c, struct shared *shared)
{
    crew_command(c, COMMAND_STOP);
    for (unsigned i = 0; i < c->n_started; i++)
        (void)pthread_join(c->threads[i], NULL);
    for (unsigned i = c->n_started; i < c->n; i++)
        worker_close(c->workers[i]);
    shared->n_contexts = 0;
    for (unsigned i = 0; i < c->n; i++)
        worker_free(c->workers[i]);
    free(shared->contexts);
    shared->contexts = NULL;
    free(c->threads);
    free(c->workers);
    *c = (struct crew){ 0 };
}
