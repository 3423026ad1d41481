/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answerd/reload.h"
#include "base/macros.h"
#include "base/wake.h"

/* Nothing here points to data of the main thread, which may end while DNS is slow. */
struct reload {
    atomic_uint holders; /* the main thread and its own; the last one frees it */
    atomic_bool done;
    struct reload_what what;
    char **passed;
    int event_fd; /* a duplicate */

    int result;
    struct config *config;
    struct wanted wanted;
    char wrong[PATH_MAX];
    const char *listen[]; /* for what.beside */
};

void reload_free(struct reload *r)
{
    if (!r || atomic_fetch_sub(&r->holders, 1) > 1)
        return;
    wanted_free(&r->wanted);
    config_free(r->config);
    wanted_free_passed(r->passed);
    (void)close_fd(r->event_fd);
    free(r);
}

static int look(struct reload *r)
{
    int error;

    error = config_load(r->what.file, &r->what.overrides, &r->what.defaults, &r->config,
                        report_first, r->wrong);
    if (error < 0)
        return error;
    error = wanted_look_up(r->config, &r->what.beside, &r->wanted);
    if (error < 0)
        report_first(r->wrong, "out of memory");
    return error;
}

static void *reload_main(void *userdata)
{
    struct reload *r = userdata;

    r->result = look(r);
    atomic_store(&r->done, true);
    wake(r->event_fd);
    reload_free(r);
    return NULL;
}

/* The main thread takes all signals, from a descriptor. */
static int start_thread(struct reload *r)
{
    sigset_t all, before;
    pthread_t thread;
    int error;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, NULL, reload_main, r);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return -error;
    (void)pthread_setname_np(thread, "reload");
    (void)pthread_detach(thread);
    return 0;
}

int reload_begin(const struct reload_what *what, int event_fd, struct reload **ret)
{
    size_t n = what->beside.n_listen;
    struct reload *r = calloc(1, sizeof *r + n * sizeof r->listen[0]);
    int error;

    if (!r) {
        wanted_free_passed((char **)what->beside.passed);
        return -ENOMEM;
    }
    r->what = *what;
    r->passed = (char **)what->beside.passed;
    if (n > 0)
        memcpy(r->listen, what->beside.listen, n * sizeof r->listen[0]);
    r->what.beside.listen = r->listen;
    r->holders = 2;
    r->event_fd = fcntl(event_fd, F_DUPFD_CLOEXEC, 3);
    error = r->event_fd < 0 ? -errno : start_thread(r);
    if (error < 0) {
        r->holders = 1;
        reload_free(r);
        return error;
    }
    *ret = r;
    return 0;
}

bool reload_done(const struct reload *r)
{
    return atomic_load(&((struct reload *)r)->done);
}

int reload_take(struct reload *r, struct config **ret_config, struct wanted *ret_wanted,
                char wrong[static PATH_MAX])
{
    if (r->result < 0) {
        (void)snprintf(wrong, PATH_MAX, "%s", r->wrong);
        return r->result;
    }
    *ret_config = STEAL_PTR(r->config);
    *ret_wanted = r->wanted;
    r->wanted = (struct wanted){ 0 };
    return 0;
}
