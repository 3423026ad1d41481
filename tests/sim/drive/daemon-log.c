/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "../clock.h"
#include "../descriptors.h"
#include "../disk.h"
#include "../faults.h"
#include "../fiber.h"
#include "../seed.h"
#include "../task.h"
#include "../trace.h"
#include "base/macros.h"
#include "base/timer.h"
#include "book.h"
#include "daemon-log.h"
#include "ledger.h"
#include "process.h"

#define HEARS_WITHIN (500 * SIM_S)
#define CRASH_TURNS  256 /* a start or a stop takes about so many turns */

static struct {
    struct log_settings settings;
    struct sim_fiber *main; /* the main thread, while it works for the log */
    int result;
    bool started, heard;
    uint32_t crash; /* per million starts and stops */
} state;

void daemon_log_draw(void)
{
    static char folder[] = LOG_FOLDER;
    struct sim_inode *root;
    const char *name;

    state.settings = (struct log_settings){
        .directory = folder,
        .segment_size =
            sim_scale(1 << 16, 1 << 19), /* from the smallest that the configuration allows */
        .max_age_ms = sim_below(4) == 3 ? sim_scale(1, 1 << 20) : TIMER_NEVER,
        .keep_free = sim_below(2) > 0 ? LOG_SHARE : 0,
        .sync_ms = sim_below(4) == 3 ? sim_scale(1, 2000) : 0,
        .wait = sim_below(4) == 3,
    };
    /* With WhenFull=wait, only the disk sets a limit: nobody would ever raise MaxUse=. */
    if (state.settings.wait)
        state.settings.max_use = UINT64_MAX;
    else if (sim_below(2) > 0)
        state.settings.max_use = state.settings.segment_size * sim_between(2, 8);
    state.crash = sim_rate(300000);
    state.started = false;
    state.main = NULL;
    (void)sim_inode_by_path("/disk", &root, &name);
    sim_inode_sync(sim_inode_new(root, "disk", true));
    sim_inode_sync(root);
}

void daemon_log_turn_fair(void)
{
    state.crash = 0;
}

static void forget_main(void)
{
    if (state.main)
        sim_fiber_free(state.main);
    state.main = NULL;
}

/* Lets the main thread run a function. False: the process was killed. */
static bool in_main(void (*fn)(void *userdata))
{
    unsigned turns = 0, crash = 0;

    if (sim_chance(state.crash))
        crash = sim_between(1, CRASH_TURNS);
    state.main = sim_fiber_new(fn, NULL);
    while (!sim_fiber_ended(state.main) && !sim_violation()) {
        if (!sim_turn(SIM_NEVER))
            sim_violate("the main thread waits for something that will never come");
        book_turned();
        if (crash > 0 && ++turns == crash) {
            process_crash();
            return false;
        }
    }
    forget_main();
    return true;
}

size_t daemon_log_takes(void)
{
    return log_record_max(state.settings.segment_size) - LOG_RECORD_BESIDE;
}

/* --- start and stop ------------------------------------------------------------------------- */

void daemon_log_init(void)
{
    if (!setups_have_log())
        return;
    state.started = state.heard = false;
    if (log_service_init(&process.log, process.shared.notify_fd, NULL) < 0)
        sim_violate("the log does not begin, though nothing is wrong");
    process.shared.committer = &process.log.committer;
}

static void start(void *userdata)
{
    char wrong[256];

    (void)userdata;
    state.result =
        log_service_start(&process.log, &state.settings, process.life, wrong, sizeof wrong);
    if (state.result < 0)
        sim_say("%s", wrong);
    else
        ledger_recovered(process.log.committer.writer.number);
}

bool daemon_log_start(void)
{
    if (!setups_have_log())
        return true;
    ledger_process_began(state.settings.sync_ms == 0);
    if (!in_main(start))
        return false;
    state.started = state.result == 0;
    return state.started;
}

static void stop(void *userdata)
{
    (void)userdata;
    state.result = log_service_stop(&process.log);
}

bool daemon_log_stop(void)
{
    if (!setups_have_log())
        return true;
    if (!in_main(stop))
        return false;
    ledger_process_ended(state.started && state.result == 0);
    log_service_deinit(&process.log);
    state.started = false;
    return true;
}

void daemon_log_forget(void)
{
    if (!setups_have_log())
        return;
    forget_main();
    ledger_process_ended(false);
    state.started = false;
}

/* --- failure -------------------------------------------------------------------------------- */

void daemon_log_listen(void)
{
    struct sim_file *notify = sim_descriptor(process.shared.notify_fd);
    uint64_t count;

    if (state.started && notify->kind->read(notify, &count, sizeof count) > 0)
        state.heard = log_service_error(&process.log) < 0;
    if (state.started && ledger_failed_at() > 0 && !state.heard &&
        sim_now() - ledger_failed_at() > HEARS_WITHIN)
        sim_violate("the log has failed, and the main thread does not hear of it");
}

bool daemon_log_has_failed(void)
{
    return state.started && state.heard;
}
