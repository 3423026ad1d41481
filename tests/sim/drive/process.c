/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <netinet/in.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../descriptors.h"
#include "../epoll.h"
#include "../listening.h"
#include "../names.h"
#include "../seed.h"
#include "../threads.h"
#include "../tls/tls.h"
#include "../trace.h"
#include "../world.h"
#include "base/macros.h"
#include "book.h"
#include "daemon-log.h"
#include "ledger.h"
#include "process.h"
#include "record/event-log.h"

#define WITHIN (500 * SIM_S) /* a process may stall for two minutes, repeatedly */

struct process process;

static void place_draw(struct place *p, unsigned i)
{
    struct sockaddr_storage address;
    socklen_t size;

    p->is_unix = sim_below(2);
    p->framing = (enum framing)sim_below(4);
    p->mute = sim_below(6) == 5;
    p->proxied = sim_below(5) == 4;
    p->tls = setups_have_tls() && sim_below(3) > 0;
    p->fd = -1;
    if (p->is_unix)
        (void)snprintf(p->address, sizeof p->address, "/run/place-%u", i);
    else
        (void)snprintf(p->address, sizeof p->address, "%u", 8080 + i);
    size = sim_address(p->address, &address);
    (void)sim_listening_new((struct sockaddr *)&address, size, (int)sim_scale(1, 100), &p->file);
    sim_file_set_nonblocking(p->file, true);
    p->setup = setup_draw(p->framing, p->mute, p->proxied, p->tls);
}

void process_draw(void)
{
    memset(&process, 0, sizeof process);
    process.n_places = sim_between(1, MAX_PLACES);
    process.n_workers = sim_between(1, 3);
    for (unsigned i = 0; i < process.n_places; i++)
        place_draw(&process.places[i], i);
}

void process_forget(void)
{
    for (unsigned i = 0; i < process.n_places; i++)
        sim_file_unref(process.places[i].file);
}

/* --- plans --- */

static struct worker_plan *make_plan(void)
{
    struct worker_plan *plan = malloc(sizeof *plan + MAX_PLACES * sizeof plan->acceptors[0]);

    plan->n = 0;
    for (unsigned i = 0; i < process.n_places; i++) {
        struct place *p = &process.places[i];
        struct settings *settings;

        if (p->fd < 0 || p->leaving)
            continue;
        settings = setup_settings(p->setup);
        plan->acceptors[plan->n++] = acceptor_new(p->fd, p->address, settings);
        settings_unref(settings);
    }
    return plan;
}

static void serve(void)
{
    for (unsigned i = 0; i < process.crew.n; i++)
        worker_send_plan(process.crew.workers[i], make_plan());
    process.n_plans++;
}

static void choose_place(struct place *p, bool wanted)
{
    if (!wanted && p->fd >= 0)
        p->leaving = true;
    if (!wanted || p->leaving)
        return;
    if (p->fd < 0) {
        p->fd = sim_descriptor_new(sim_file_ref(p->file), 0);
        process.n_files += p->fd >= 0;
    }
}

void process_reload(bool all)
{
    for (unsigned i = 0; i < process.n_places; i++) {
        struct place *p = &process.places[i];

        choose_place(p, all || sim_below(4) > 0);
        if (sim_below(2) > 0)
            p->setup = setup_draw(p->framing, p->mute, p->proxied, p->tls);
    }
    sim_say("RELOAD");
    serve();
}

void process_limit(bool generous)
{
    struct shared *s = &process.shared;
    uint64_t max = sim_below(2) > 0 ? sim_scale(1, 64) : 100000,
             per_address = sim_below(2) > 0 ? sim_scale(1, 16) : UINT64_MAX;
    size_t memory = sim_below(2) > 0 ? sim_scale(1000, 1 << 24) : SIZE_MAX / 2;

    if (generous) {
        max = 100000;
        per_address = UINT64_MAX;
        memory = SIZE_MAX / 2;
    }
    atomic_store(&s->max_connections, max);
    atomic_store(&s->addresses.max, per_address);
    atomic_store(&s->memory_limit, memory);
    process.max_connections = MAX(process.max_connections, max);
    process.max_per_address = MAX(process.max_per_address, per_address);
    process.min_per_address = MIN(process.min_per_address, per_address);
    process.memory_limit = MAX(process.memory_limit, memory);
    process.memory_was_limited |= memory < SIZE_MAX / 4;
    sim_say("LIMITS: %" PRIu64 " connections, %" PRIu64 " per address, %zu bytes", max, per_address,
            memory);
}

/* --- life and death --- */

void process_begin(void)
{
    static char run_id[32];

    process.life++;
    process.up = true;
    process.draining = process.stopping = process.drain_asked = false;
    process.n_plans = process.n_pings = 0;
    process.pinged_at = 0;
    process.n_files = 0;
    process.crew = (struct crew){ 0 };
    memset(&process.shared, 0, sizeof process.shared);
    (void)snprintf(run_id, sizeof run_id, "%016x", process.life);
    memcpy(process.shared.run_id, run_id, RUN_ID_MAX);
    process.shared.journal_path = JOURNAL_PATH;
    process.max_connections = process.max_per_address = 0;
    process.memory_limit = 0;
    process.min_per_address = UINT64_MAX;
    process.memory_was_limited = false;
    address_limit_init(&process.shared.addresses, UINT64_MAX);
    process_limit(false);
    sim_threads_begin();
    if (setups_have_tls())
        sim_tls_process_begins();
    sim_threads_set_turned(book_turned);
    event_log_open(false, JOURNAL_PATH);
    process.shared.notify_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    daemon_log_init();
    sim_say("BEGINS, life %u", process.life);
    if (crew_make_run_id(&process.shared) < 0 ||
        crew_start(&process.crew, &process.shared, process.n_workers) < 0)
        sim_violate("the workers do not start, though nothing is wrong");
    book_process_began();
    if (daemon_log_start())
        process_reload(process.life == 1);
    else if (process.up)
        process_stop();
}

void process_ping(void)
{
    if (process.pinged_at > 0)
        return;
    process.n_pings++;
    process.pinged_at = sim_now();
    crew_command(&process.crew, COMMAND_PING);
}

/* First accepting stops, then everything that has arrived is answered. */
void process_drain(void)
{
    if (process.draining)
        return;
    sim_say("DRAIN");
    process.draining = process.drain_asked = true;
    for (unsigned i = 0; i < process.n_places; i++)
        process.places[i].leaving |= process.places[i].fd >= 0;
    serve();
}

static void close_place(struct place *p)
{
    if (p->fd >= 0)
        (void)close(p->fd);
    process.n_files -= p->fd >= 0;
    p->fd = -1;
    p->leaving = false;
}

void process_tend(void)
{
    if (!process.up)
        return;
    daemon_log_listen();
    if (process.pinged_at > 0 && crew_pings_answered(&process.crew, process.n_pings))
        process.pinged_at = 0;
    if (process.pinged_at > 0 && sim_now() - process.pinged_at > WITHIN)
        sim_violate("a ping was not answered");
    if (process.stopping && sim_now() - process.stopped_at > WITHIN)
        sim_violate("the workers do not stop");
    if (!crew_plans_done(&process.crew, process.n_plans))
        return;
    for (unsigned i = 0; i < process.n_places; i++)
        if (process.places[i].leaving)
            close_place(&process.places[i]);
    if (process.drain_asked) {
        process.drain_asked = false;
        book_drain_begins();
        crew_command(&process.crew, COMMAND_DRAIN);
    }
}

bool process_has_ended(void)
{
    return process.up && crew_all_ended(&process.crew);
}

void process_tell(void)
{
    sim_say("process: %s%s, %" PRIu64 " connections of %" PRIu64, process.up ? "up" : "down",
            process.draining ? ", draining" : "", atomic_load(&process.shared.n_connections),
            atomic_load(&process.shared.max_connections));
    for (unsigned i = 0; i < process.n_places; i++)
        sim_say("place %s: descriptor %d%s, %zu wait", process.places[i].address,
                process.places[i].fd, process.places[i].leaving ? ", leaving" : "",
                sim_listening_waiting(process.places[i].file));
    for (unsigned i = 0; i < process.crew.n; i++) {
        const struct worker *w = process.crew.workers[i];

        sim_say("worker %u: %s, epoll %d, plans %u of %u, %zu live, %" PRIu64 " placed, journal in "
                "state %d with %zu waiting, console in state %d",
                i, atomic_load(&w->ended) ? "ended" : "runs", w->context.loop.epoll_fd,
                atomic_load(&w->plans_done), process.n_plans, w->context.n_live,
                atomic_load(&w->context.n_connections), (int)w->journal.state,
                w->journal.sink->n_waiting, (int)w->console.state);
        for (const struct acceptor *a = w->acceptors; a; a = a->next)
            sim_say("  accepts from %d, %s", a->source.fd, a->registered ? "watched" : "pauses");
    }
}

bool process_is_busy(void)
{
    return process.up && !crew_plans_done(&process.crew, process.n_plans);
}

static void forget_process(void)
{
    process.up = false;
    for (unsigned i = 0; i < process.n_places; i++) {
        process.places[i].fd = -1;
        process.places[i].leaving = false;
    }
}

void process_stop(void)
{
    sim_say("STOP");
    if (!crew_all_ended(&process.crew)) {
        process.stopping = true;
        process.stopped_at = sim_now();
        book_excuse_all(EXCUSE_STOPPED);
    }
    /* If the process ended by itself, check its counters while they exist. */
    if (!process.stopping)
        book_process_ended();
    crew_stop(&process.crew, &process.shared);
    if (sim_violation() || !daemon_log_stop() || sim_violation())
        return;
    sim_threads_end();
    for (unsigned i = 0; i < process.n_places; i++)
        close_place(&process.places[i]);
    (void)close(process.shared.notify_fd);
    address_limit_deinit(&process.shared.addresses);
    event_log_close();
    forget_process();
    book_process_gone();
    sim_world_look_for_leaks(0);
    if (setups_have_tls())
        sim_tls_process_ends();
    if (sim_tls_left() > 0)
        sim_violate("%zu objects of OpenSSL are left", sim_tls_left());
}

bool process_log_has_failed(void)
{
    return process.up && daemon_log_has_failed();
}

static void forget_nothing(void *item)
{
    (void)item;
}

void process_kill(void)
{
    sim_say("KILL");
    book_excuse_all(EXCUSE_KILLED);
    daemon_log_forget();
    sim_threads_end();
    tdestroy(process.shared.addresses.tree, forget_nothing);
    if (setups_have_tls())
        sim_tls_process_is_killed();
    sim_world_kill();
    /* The next process does not inherit open descriptors. */
    event_log_close();
    forget_process();
    book_process_gone();
    sim_world_look_for_leaks(0);
}

void process_crash(void)
{
    process_kill();
    sim_say("CRASH");
    sim_disk_crash();
    ledger_crashed();
}

struct worker *process_worker(void)
{
    int i = process.up ? sim_thread_self() : -1;

    return i >= 0 && (unsigned)i < process.crew.n ? process.crew.workers[i] : NULL;
}

uint64_t process_now(void)
{
    const struct worker *w = process_worker();

    return w ? (w->context.now.mono_us + w->context.stalled_us) * 1000 : sim_now();
}
