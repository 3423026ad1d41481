/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "../file.h"
#include "record/log-service.h"
#include "serve/crew.h"
#include "setup.h"

/* The simulated part of the program: its workers, and what the main thread does for them. */

#define JOURNAL_PATH "/run/journal"

/* Where clients connect. systemd owns the socket, which outlives the program. */
struct place {
    char address[24];
    bool is_unix;
    enum framing framing;
    bool mute;    /* it never sends anything, and its clients know this */
    bool proxied; /* its clients begin with a PROXY header */
    bool tls;
    struct sim_file *file;
    int fd;                    /* the program's, or -1 */
    bool leaving;              /* the program closes it once no worker uses it */
    const struct setup *setup; /* the latest */
};

#define MAX_PLACES 4

struct process {
    struct place places[MAX_PLACES];
    unsigned n_places;
    unsigned n_workers;
    bool up, draining, stopping;
    bool drain_asked; /* but not commanded yet */
    unsigned life;    /* number of the process */
    unsigned n_plans, n_pings;
    uint64_t pinged_at, stopped_at;
    struct crew crew;
    struct shared shared;
    struct log_service log;                    /* if setups_have_log() */
    uint64_t max_connections, max_per_address; /* the highest in this life */
    uint64_t min_per_address;                  /* the lowest */
    size_t memory_limit;
    bool memory_was_limited;
    size_t n_files; /* open in the main thread */
};

extern struct process process;

/* Draws places and workers. */
void process_draw(void);
void process_forget(void); /* at the end of a run */

/* It may fail to start: then it is not up. */
void process_begin(void);
/* Serves all places, or a random part of them, with new or old settings. */
void process_reload(bool all);
/* Draws other limits. */
void process_limit(bool generous);
void process_ping(void);
void process_drain(void);
void process_stop(void); /* waits for its end, and checks for leftovers */
void process_kill(void);
/* The machine loses power, and is there again at once. */
void process_crash(void);
/* Whether the log has failed, so that the process has to stop. */
bool process_log_has_failed(void);

/* Call between turns: what the main thread does after a notification. */
void process_tend(void);
/* For the reader of a trace. */
void process_tell(void);
/* Whether a plan is still being carried out. */
bool process_is_busy(void);
/* Whether all workers have ended by themselves. */
bool process_has_ended(void);

/* The current worker's time in ns: it reads the clock once per turn. */
uint64_t process_now(void);
/* The current worker, or NULL. */
struct worker *process_worker(void);
