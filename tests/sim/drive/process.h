/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "../file.h"
#include "serve/crew.h"
#include "setup.h"

/* The program, as far as it is simulated: its workers, and what the main thread does for them. */

#define JOURNAL_PATH "/run/journal"

/* Where clients connect. The socket belongs to systemd, and lives on when the program does not. */
struct place {
    char address[24];
    bool is_unix;
    enum framing framing;
    bool mute; /* it never sends anything, and its clients know */
    struct sim_file *file;
    int fd;                    /* the program's, or -1 */
    bool leaving;              /* the program closes it when no worker uses it any more */
    const struct setup *setup; /* the latest */
};

#define MAX_PLACES 4

struct process {
    struct place places[MAX_PLACES];
    unsigned n_places;
    unsigned n_workers;
    bool up, draining, stopping;
    bool drain_asked; /* and not yet commanded */
    unsigned life;    /* counts processes */
    unsigned n_plans, n_pings;
    uint64_t pinged_at, stopped_at;
    struct crew crew;
    struct shared shared;
    uint64_t max_connections, max_per_address; /* the largest in force in this life */
    uint64_t min_per_address;                  /* the smallest */
    size_t memory_limit;
    bool memory_was_limited;
    size_t n_files; /* descriptors that the main thread has */
};

extern struct process process;

/* Draws places and workers. */
void process_draw(void);
void process_forget(void); /* at the end of a run */

void process_begin(void);
/* All places are served, or a drawn part of them, with settings drawn anew or not. */
void process_reload(bool all);
/* Other limits. */
void process_limit(bool generous);
void process_ping(void);
void process_drain(void);
void process_stop(void); /* waits for its end, and looks for what it left */
void process_kill(void);

/* To be called between turns: what the main thread does when workers have notified it. */
void process_tend(void);
/* For the reader of a trace. */
void process_tell(void);
/* Whether a plan is still being carried out. */
bool process_is_busy(void);
/* Whether all workers have come to their end by themselves. */
bool process_has_ended(void);

/* The time as the worker that runs now knows it, ns: it reads the clock once a turn. */
uint64_t process_now(void);
/* The worker that runs now, or NULL. */
struct worker *process_worker(void);
