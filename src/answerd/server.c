/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "answerd/expiry.h"
#include "answerd/limits.h"
#include "answerd/listeners.h"
#include "answerd/reload.h"
#include "answerd/server.h"
#include "answerd/service.h"
#include "answerd/signals.h"
#include "answerd/startup.h"
#include "answerd/status.h"
#include "base/macros.h"
#include "base/wake.h"
#include "record/event-log.h"
#include "record/log-service.h"
#include "serve/crew.h"

/*
 * The main thread: signals, reload, notifications to systemd, the order of start and stop. It never
 * waits for a worker. It sends commands and is woken once they have been carried out.
 *
 *   STARTING ──► RUNNING ──► CLOSING ──► DRAINING ──► ended
 *
 * CLOSING: the workers give up the listeners. Once all have, no connection can be in flight between
 * workers. Then DRAINING may end each of them.
 */
enum phase { STARTING, RUNNING, CLOSING, DRAINING };

#define TICK_MS 1000
struct server {
    const struct options *options;
    const char *config_file; /* NULL: none */
    bool by_hand;
    struct config_defaults defaults;
    struct config *config;
    struct listeners listeners;
    struct listener *retired; /* freed once all workers have let go of them */
    struct shared shared;
    struct log_service log;
    struct crew crew;
    enum phase phase;
    unsigned n_plans; /* plans sent to each worker */
    bool reloading;   /* until the workers have applied the changes */
    bool reload_asked;
    struct reload *looking; /* the first part of a reload, on its own thread; NULL: done */

    struct loop loop;
    struct source signals, notify;
    bool stop_now; /* stop without draining */
    uint64_t drain_until_ms;

    uint64_t watchdog_ms, watchdog_next_ms;
    unsigned n_pings;
    uint64_t tick_next_ms;
    struct status status;
    struct expiry expiry;
};

static uint64_t now_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

static void look_at_certificates(struct server *s)
{
    expiry_look(&s->expiry, s->config, time(NULL), now_ms());
    s->status.expiry = s->expiry.text;
}

static void report_notice(_unused_ void *userdata, const char *line)
{
    event_log(EVENT_NOTICE, "%s", line);
}

static unsigned n_cpus(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static void log_is_recovered(void)
{
    service_goes_on("Recovering the log");
}

/* Starts the record log, if a listener needs it. 0, or a negative errno with a message in wrong[]. */
static int start_log(void *userdata, const struct config *config, char wrong[static PATH_MAX])
{
    struct server *s = userdata;

    if (!config_wants_log(config))
        return 0;
    return log_service_start(&s->log, &config->log, strtoull(s->shared.run_id, NULL, 16), wrong,
                             PATH_MAX);
}

/* Gives every worker its listeners: all of them or, without memory, none. */
static int send_plans(struct server *s, const struct listeners *ls)
{
    unsigned n = s->crew.n, done = 0;
    _cleanup_free_ struct worker_plan **plans = calloc(n, sizeof *plans);

    while (plans && done < n && (plans[done] = listeners_plan(ls, s->config)))
        done++;
    if (done < n) {
        while (done > 0)
            worker_plan_free(plans[--done]);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < n; i++)
        worker_send_plan(s->crew.workers[i], plans[i]);
    s->n_plans++;
    return 0;
}

static void free_retired(struct server *s)
{
    while (s->retired) {
        struct listener *l = s->retired;

        s->retired = l->next;
        listener_free(l);
    }
}

static void reload_ends(struct server *s)
{
    s->reloading = false;
    service_notify("READY=1");
}

static void reload_refused(struct server *s, const char *wrong)
{
    event_log(EVENT_RELOAD_REFUSED, "reload refused, the old configuration stays in force: %s",
              wrong);
    reload_ends(s);
}

/* All or nothing. Takes over `config` and `wanted`. */
static int commit(struct server *s, struct config *config, struct wanted *wanted,
                  char wrong[static PATH_MAX])
{
    struct config *old = s->config;
    struct listeners want;
    int r;

    r = listeners_want(&s->listeners, config, wanted, &want, report_first, wrong);
    wanted_free(wanted);
    if (r < 0) {
        config_free(config);
        return r;
    }
    s->config = config;
    r = start_log(s, config, wrong);
    if (r >= 0)
        r = send_plans(s, &want);
    if (r < 0) {
        report_first(wrong, "out of memory");
        s->config = old;
        listeners_revert(&s->listeners, &want);
        config_free(config);
        return r;
    }
    listeners_commit(&s->listeners, &want, &s->retired);
    (void)limits_set(&s->shared, s->config, s->crew.n, s->listeners.n);
    startup_advise(s->config, &s->listeners, report_notice, NULL);
    look_at_certificates(s);
    if ((config->workers ?: n_cpus()) != s->crew.n)
        event_log(EVENT_NOTICE, "Workers= takes effect at the next start");
    if (s->log.opened && !log_settings_equal(&config->log, &old->log))
        event_log(EVENT_NOTICE, "[Log] takes effect at the next start");
    config_free(old);
    return 0;
}

/* A request during a reload is served after it: the file may have changed since it was read. */
static void reload(struct server *s)
{
    struct reload_what what = {
        .overrides = s->options->overrides,
        .defaults = s->defaults,
        .beside = { .listen = s->options->listen, .n_listen = s->options->n_listen },
    };
    int r = -ENOMEM;

    if (!s->reload_asked || s->reloading || s->phase != RUNNING)
        return;
    s->reload_asked = false;
    s->reloading = true;
    service_notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_us(CLOCK_MONOTONIC));
    what.file = s->config_file = options_config_file(s->options);
    what.beside.passed = listeners_passed(&s->listeners);
    if (what.beside.passed)
        r = reload_begin(&what, s->notify.fd, &s->looking);
    if (r < 0)
        reload_refused(s, strerror(-r));
}

/* The thread has read the configuration and looked up the addresses. */
static void looked_up(struct server *s)
{
    struct reload *looking = STEAL_PTR(s->looking);
    char wrong[PATH_MAX] = "";
    struct wanted wanted;
    struct config *config = NULL;
    int r;

    r = reload_take(looking, &config, &wanted, wrong);
    reload_free(looking);
    if (r >= 0)
        r = commit(s, config, &wanted, wrong);
    if (r < 0)
        reload_refused(s, wrong);
}

/* All workers have applied the last plan. */
static void reloaded(struct server *s)
{
    event_log(EVENT_RELOADED, "reloaded%s%s", s->config_file ? ": " : "", s->config_file ?: "");
    reload_ends(s);
}

/* Notifies the watchdog only if every worker has answered the last ping. */
static void feed_watchdog(struct server *s)
{
    if (!crew_pings_answered(&s->crew, s->n_pings))
        return;
    service_notify("WATCHDOG=1");
    s->n_pings++;
    crew_command(&s->crew, COMMAND_PING);
}

static void stop(struct server *s)
{
    struct listeners none = { 0 };
    uint64_t n;

    if (s->phase >= CLOSING) {
        s->stop_now = true;
        return;
    }
    s->drain_until_ms =
        s->config->drain_ms == TIMER_NEVER ? TIMER_NEVER : now_ms() + s->config->drain_ms;
    n = atomic_load(&s->shared.n_connections);
    event_log(EVENT_STOPPING,
              "stopping: %" PRIu64 " connection%s, answering the messages that have arrived", n,
              n == 1 ? "" : "s");
    service_notify("STOPPING=1\nSTATUS=Answering the messages that have arrived");
    reload_free(STEAL_PTR(s->looking)); /* its thread may take long, but nobody waits for it */
    /* No memory for an empty plan: an orderly stop is impossible. */
    s->stop_now = send_plans(s, &none) < 0;
    if (!s->stop_now)
        listeners_commit(&s->listeners, &none, &s->retired);
    s->phase = CLOSING;
}

static void on_signals(struct server *s)
{
    struct signalfd_siginfo info;

    while (read(s->signals.fd, &info, sizeof info) == sizeof info)
        switch (info.ssi_signo) {
        case SIGTERM:
        case SIGINT:
            stop(s);
            break;
        case SIGHUP:
            s->reload_asked = true;
            reload(s);
            break;
        case SIGUSR1:
            status_log_counters(&s->shared, log_service_unmirrored(&s->log));
            break;
        }
    s->signals.ready = 0;
}

/* Logged before workers accept, so that no message comes first; clients wait in the backlog. A user
 * at a terminal is told once all is up. */
static void log_listening(const struct server *s)
{
    for (size_t i = 0; i < s->listeners.n && !s->by_hand; i++)
        event_log(EVENT_READY, "listening on %s (%s)", s->listeners.items[i]->address,
                  s->listeners.items[i]->name);
}

static void ready(struct server *s)
{
    s->phase = RUNNING;
    for (size_t i = 0; i < s->listeners.n && s->by_hand; i++)
        (void)fprintf(stderr, "listening on %s\n", s->listeners.items[i]->address);
    status_tell_ready(&s->status, &s->shared, log_service_unmirrored(&s->log), now_ms());
}

/* Workers have carried out a command or ended, or a reload has looked up its addresses. */
static void on_notify(struct server *s)
{
    wake_clear(s->notify.fd);
    s->notify.ready = 0;
    if (s->looking && reload_done(s->looking))
        looked_up(s);
    if (log_service_error(&s->log) < 0)
        s->stop_now = true;
    if (!crew_plans_done(&s->crew, s->n_plans))
        return;
    free_retired(s);
    if (s->phase == STARTING)
        ready(s);
    if (s->reloading && !s->looking && s->phase == RUNNING)
        reloaded(s);
    if (s->phase == CLOSING) {
        s->phase = DRAINING;
        crew_command(&s->crew, COMMAND_DRAIN);
    }
}

static uint64_t next_timeout_us(const struct server *s)
{
    uint64_t now = now_ms(), next = MIN(s->tick_next_ms, s->watchdog_next_ms);

    next = MIN(next, s->expiry.next_ms);
    if (s->phase >= CLOSING)
        next = MIN(next, s->drain_until_ms);
    return next == TIMER_NEVER ? LOOP_FOREVER : next <= now ? 0 : (next - now) * 1000;
}

static void run_timers(struct server *s)
{
    uint64_t now = now_ms();

    if (s->expiry.next_ms <= now)
        look_at_certificates(s);
    if (s->tick_next_ms <= now) {
        s->tick_next_ms = now + TICK_MS;
        if (s->phase == RUNNING)
            status_tell(&s->status, &s->shared, log_service_unmirrored(&s->log), now);
    }
    if (s->watchdog_next_ms <= now) {
        s->watchdog_next_ms = now + s->watchdog_ms;
        feed_watchdog(s);
    }
    if (s->phase >= CLOSING && s->drain_until_ms <= now)
        s->stop_now = true;
}

/* Comes last: the workers may still report connections that they cut off. */
static void stopped(struct server *s)
{
    uint64_t cut_off = atomic_load(&s->shared.n_connections), messages;

    crew_command(&s->crew, COMMAND_STOP);
    while (!crew_all_ended(&s->crew) && loop_wait(&s->loop, LOOP_FOREVER) == 0)
        while (loop_next(&s->loop))
            ;
    messages = status_messages(&s->shared);
    event_log(EVENT_STOPPED,
              "stopped after %" PRIu64 " message%s; %" PRIu64 " connection%s cut off", messages,
              messages == 1 ? "" : "s", cut_off, cut_off == 1 ? "" : "s");
}

static int run(struct server *s)
{
    while (!s->stop_now && !(s->phase == DRAINING && crew_all_ended(&s->crew))) {
        struct source *source;
        int r = loop_wait(&s->loop, next_timeout_us(s));

        if (r < 0) {
            (void)fprintf(stderr, "answerd: epoll_wait: %s\n", strerror(-r));
            return EXIT_SYSTEM;
        }
        run_timers(s);
        while ((source = loop_next(&s->loop)))
            if (source == &s->signals)
                on_signals(s);
            else
                on_notify(s);
        reload(s);
        if (s->phase < DRAINING && crew_any_ended(&s->crew))
            return EXIT_SYSTEM; /* the worker has reported the reason */
    }
    stopped(s);
    return log_service_error(&s->log) < 0 ? EXIT_IO : EXIT_OK;
}

static int open_loop(struct server *s)
{
    sigset_t set = signals_awaited();
    int r;

    (void)signal(SIGPIPE, SIG_IGN);
    r = loop_init(&s->loop);
    if (r < 0)
        return r;
    s->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signals.fd < 0)
        return -errno;
    s->notify.fd = s->shared.notify_fd = wake_new();
    if (s->notify.fd < 0)
        return s->notify.fd;
    r = crew_make_run_id(&s->shared);
    if (r < 0)
        return r;
    r = log_service_init(&s->log, s->notify.fd, s->shared.journal_path);
    if (r < 0)
        return r;
    s->log.progress = log_is_recovered;
    s->shared.committer = &s->log.committer;
    r = loop_add(&s->loop, &s->signals, EPOLLIN);
    return r < 0 ? r : loop_add(&s->loop, &s->notify, EPOLLIN);
}

/* Sets up everything but configuration, listeners and log. Until here a signal ends the process at
 * once: a slow resolver, or the recovery of a large log, must not hold it up. */
static int start(struct server *s)
{
    sigset_t set = signals_awaited();
    int r;

    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    budget_begin();
    s->watchdog_ms = service_watchdog_ms() / 4;
    s->watchdog_next_ms = s->watchdog_ms ? now_ms() : TIMER_NEVER;
    s->tick_next_ms = getenv("NOTIFY_SOCKET") ? now_ms() + TICK_MS : TIMER_NEVER;
    s->shared.show = s->by_hand && isatty(STDERR_FILENO);
    address_limit_init(&s->shared.addresses, UINT64_MAX);
    r = crew_start(&s->crew, &s->shared, s->config->workers ?: n_cpus());
    if (r >= 0)
        r = limits_set(&s->shared, s->config, s->crew.n, s->listeners.n);
    if (r >= 0 && !s->by_hand)
        event_log(EVENT_STARTED, PACKAGE_STRING ": %u worker%s, MaxConnections=%" PRIu64, s->crew.n,
                  s->crew.n == 1 ? "" : "s", atomic_load(&s->shared.max_connections));
    if (r < 0)
        return r;
    startup_advise(s->config, &s->listeners, report_notice, NULL);
    look_at_certificates(s);
    log_listening(s);
    return send_plans(s, &s->listeners);
}

static void deinit(struct server *s)
{
    crew_stop(&s->crew, &s->shared);
    log_service_deinit(&s->log);
    free_retired(s);
    reload_free(s->looking);
    listeners_free(&s->listeners);
    config_free(s->config);
    expiry_deinit(&s->expiry);
    address_limit_deinit(&s->shared.addresses);
    s->signals.fd = close_fd(s->signals.fd);
    s->notify.fd = close_fd(s->notify.fd);
    loop_deinit(&s->loop);
    event_log_close();
}

int server_run(const struct options *o)
{
    struct server s = {
        .options = o,
        .config_file = options_config_file(o),
        .by_hand = service_by_hand(),
        .loop.epoll_fd = -1,
        .log.committer = { .wake_fd = -1, .keep_fd = -1, .synced_fd = -1 },
        .signals.fd = -1,
        .notify.fd = -1,
    };
    int r, status = EXIT_SYSTEM;

    s.shared.journal_path = getenv("ANSWERD_JOURNAL_SOCKET");
    s.defaults = startup_defaults(s.by_hand);
    event_log_open(s.by_hand, s.shared.journal_path);
    r = open_loop(&s);
    if (r >= 0)
        status = startup(o, &s.defaults, start_log, &s, &s.config, &s.listeners);
    if (s.config)
        r = start(&s);
    if (r < 0) {
        (void)fprintf(stderr, "answerd: cannot start: %s\n", strerror(-r));
        status = EXIT_SYSTEM;
    } else if (s.config) {
        status = run(&s);
    }
    deinit(&s);
    return status;
}
