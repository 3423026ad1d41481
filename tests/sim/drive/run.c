/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "../clock.h"
#include "../names.h"
#include "../seed.h"
#include "../task.h"
#include "../terminal.h"
#include "../tls/tls.h"
#include "../trace.h"
#include "../world.h"
#include "book.h"
#include "clients.h"
#include "daemon-log.h"
#include "others.h"
#include "process.h"
#include "run.h"

#define TURNS_MAX  30000   /* in the first part */
#define TURNS_EVER 2000000 /* in all */
/* More than any drawn timeout, and more than the rest of a departed peer takes at its rate. Without
 * records, that work is invisible. */
#define STALLED_NS (3000 * SIM_S)

static void turn(void)
{
    (void)sim_turn(sim_now() + SIM_S);
    book_turned();
    if (sim_turns() > TURNS_EVER)
        sim_violate("the world turns and turns, and comes to no end");
}

static void look_for_stall(const char *what)
{
    if (book_quiet() <= STALLED_NS)
        return;
    process_tell();
    clients_tell();
    sim_violate("%s: nothing has happened for %u s", what, (unsigned)(STALLED_NS / SIM_S));
}

/* Anything can go wrong, and most things do. */
static void storm(void)
{
    uint64_t until = sim_now() + sim_scale(1, 1 << 16) * SIM_MS;

    while (sim_now() < until && sim_turns() < TURNS_MAX && !sim_violation()) {
        turn();
        if (operator_is_due())
            operator_act();
        if (process_has_ended() || process_log_has_failed())
            process_stop();
        if (!process.up && !sim_violation() && !operator_is_due() && sim_below(64) == 0)
            process_begin();
    }
}

/* A process that serves all places and is not about to end. */
static void have_a_server(void)
{
    while ((process_is_busy() || (process.up && process.draining)) && !sim_violation()) {
        turn();
        look_for_stall("draining");
        if (process_has_ended() || process_log_has_failed())
            process_stop();
    }
    if (sim_violation())
        return;
    if (!process.up)
        process_begin();
    if (!process.up)
        sim_violate("the program does not start, though nothing is wrong");
    process_reload(true);
    process_limit(true);
}

/* From here on nothing goes wrong, and every client must be answered. */
static void fair(void)
{
    sim_world_turn_fair();
    operator_turn_fair();
    daemon_log_turn_fair();
    journal_turn_fair();
    terminal_turn_fair();
    book.progress_at = sim_now();
    clients_turn_fair();
    have_a_server();
    while (!clients_are_done() && !sim_violation()) {
        turn();
        /* An error that came just before. */
        if (process_log_has_failed()) {
            process_stop();
            have_a_server();
        }
        if (book_quiet() > STALLED_NS / 2)
            clients_let_go();
        look_for_stall("the end");
    }
}

static void drain(void)
{
    book.progress_at = sim_now();
    process_drain();
    while (!process_has_ended() && !sim_violation()) {
        turn();
        look_for_stall("the last draining");
    }
    if (!sim_violation())
        process_stop();
}

static void finish(void)
{
    clients_end();
    operator_end();
    journal_end();
    terminal_end();
    process_forget();
    if (sim_violation())
        return;
    while (sim_turn(SIM_NEVER))
        ;
    sim_world_look_for_streams();
}

void run_result(struct run_result *r)
{
    *r = (struct run_result){
        .digest = sim_trace_digest(),
        .decisions = sim_seed_count(),
        .calls = sim_trace_calls(),
        .turns = sim_turns(),
        .simulated_ns = sim_now() - sim_started(),
        .connections = book.accepted,
        .messages = book.records,
        .replies = book.replies,
    };
    for (int i = 0; i < SIM_FAULTS; i++)
        r->faults[i] = sim_fault_count((enum sim_fault)i);
    if (sim_violation())
        (void)snprintf(r->violation, sizeof r->violation, "%s", sim_violation());
}

void run(const struct run_options *options, struct run_result *ret)
{
    sim_world_begin(SIM_BY_SEED, options->verbose);
    book_begin();
    book.canary = options->canary;
    setups_begin(options->log, options->tls);
    if (setups_have_tls()) {
        sim_tls_begin();
        book_tls_begin();
    }
    /* Large entries take several paths, which lack of kernel memory selects. */
    if (setups_are_large() && sim_below(2) > 0)
        sim_fault_set(SIM_NO_KERNEL, 200000);
    process_draw();
    if (setups_have_log())
        daemon_log_draw();
    journal_begin();
    terminal_begin();
    clients_begin();
    process_begin();
    operator_begin();
    storm();
    if (!sim_violation())
        fair();
    if (!sim_violation())
        drain();
    if (sim_violation() && process.up)
        process_kill();
    finish();
    run_result(ret);
    setups_end();
    book_end();
    sim_world_end();
    sim_tls_end();
}
