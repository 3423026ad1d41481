/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/advice.h"
#include "answerd/config-show.h"
#include "answerd/refusal.h"
#include "answerd/service.h"
#include "answerd/startup.h"
#include "base/macros.h"
#include "record/sink.h"

static int exit_status(int error)
{
    return error == -ENOMEM || error == -EMFILE ? EXIT_SYSTEM : EXIT_BAD_CONFIG;
}

static bool own_journal(void)
{
    return !getenv("ANSWERD_JOURNAL_SOCKET") && sink_journal_exists(NULL);
}

/* If a user checks the unit's own file: gives the advice that the service gives when it reloads. */
static void advise_beforehand(const struct options *o, const struct config *config)
{
    char *const passed[] = { (char *)"default", NULL };

    advise_on_proxy(config, report_stderr, NULL);
    if (!service_by_hand())
        return;
    if (!o->config && service_socket_unit_in_use())
        advise_on_listen(config, passed, report_stderr, NULL);
    if (own_journal())
        advise_on_size(config, report_stderr, NULL);
}

/* A service waits for a journal that is away. Only a trial run in a terminal works without a
 * journal. And a web page in that user's browser may send to the port: it must not write to the
 * journal. */
struct config_defaults startup_defaults(bool by_hand)
{
    bool journal = !by_hand || sink_journal_exists(getenv("ANSWERD_JOURNAL_SOCKET"));

    return (struct config_defaults){
        .record = journal ? RECORD_JOURNAL : RECORD_STDERR,
        .refuse_http = by_hand && !getenv("LISTEN_FDS"),
    };
}

int startup_check(const struct options *o)
{
    const struct config_defaults any = { .record = RECORD_JOURNAL };
    struct config *config;
    int r = config_load(options_config_file(o), &o->overrides, &any, &config, report_stderr, NULL);

    if (r < 0)
        return exit_status(r);
    advise_beforehand(o, config);
    if (o->verbose)
        r = config_show(config, o->listen, o->n_listen);
    config_free(config);
    return r < 0 ? EXIT_SYSTEM : EXIT_OK;
}

void startup_advise(const struct config *config, const struct listeners *listeners,
                    report_fn report, void *userdata)
{
    char **passed = listeners_passed(listeners);

    if (passed)
        advise_on_listen(config, passed, report, userdata);
    wanted_free_passed(passed);
    advise_on_proxy(config, report, userdata);
    advise_on_record(config, report, userdata);
    if (own_journal())
        advise_on_size(config, report, userdata);
}

/* Opens the sockets that the configuration and the command line name, besides those passed by
 * systemd. */
static int open_listeners(const struct options *o, const struct config *config,
                          struct listeners *listeners, report_fn report, void *userdata)
{
    struct wanted_beside beside = { .listen = o->listen, .n_listen = o->n_listen };
    char **passed = listeners_passed(listeners);
    struct listener *retired = NULL; /* those of an earlier attempt */
    struct listeners want;
    struct wanted wanted;
    int r;

    beside.passed = passed;
    r = passed ? wanted_look_up(config, &beside, &wanted) : -ENOMEM;
    wanted_free_passed(passed);
    if (r < 0) {
        report(userdata, "out of memory");
        return r;
    }
    r = listeners_want(listeners, config, &wanted, &want, report, userdata);
    wanted_free(&wanted);
    if (r >= 0)
        listeners_commit(listeners, &want, &retired);
    while (retired) {
        struct listener *l = retired;

        retired = l->next;
        listener_free(l);
    }
    return r;
}

struct attempt {
    const struct options *options;
    const struct config_defaults *defaults;
    startup_fn also;
    void *userdata;
};

static int try(const struct attempt *a, struct config **ret, struct listeners *listeners,
               struct gathered *wrong)
{
    const struct options *o = a->options;
    char line[PATH_MAX] = "";
    struct config *config;
    int r = config_load(options_config_file(o), &o->overrides, a->defaults, &config, report_gather,
                        wrong);

    if (r < 0)
        return exit_status(r);
    r = open_listeners(o, config, listeners, report_gather, wrong);
    if (r >= 0)
        r = a->also(a->userdata, config, line);
    if (line[0])
        report_gather(wrong, line);
    if (r < 0) {
        config_free(config);
        return r == -ESRCH ? EXIT_BAD_CONFIG : EXIT_SYSTEM;
    }
    *ret = config;
    return EXIT_OK;
}

int startup(const struct options *o, const struct config_defaults *defaults, startup_fn also,
            void *userdata, struct config **ret_config, struct listeners *ret_listeners)
{
    const struct attempt a = { o, defaults, also, userdata };
    struct gathered wrong = { 0 };
    bool adopted = listeners_adopt(ret_listeners, report_gather, &wrong) == 0;
    enum refusal refusal;
    int status = EXIT_SYSTEM;

    *ret_config = NULL;
    do {
        if (adopted) {
            wrong = (struct gathered){ 0 };
            status = try(&a, ret_config, ret_listeners, &wrong);
        }
        if (status == EXIT_OK) {
            refusal_forget();
            return EXIT_OK;
        }
        refusal = refusal_wait(wrong.text);
    } while (refusal == REFUSAL_AGAIN);
    listeners_free(ret_listeners);
    if (refusal == REFUSAL_ENDED)
        return EXIT_OK;
    report_gathered(&wrong);
    return status;
}
