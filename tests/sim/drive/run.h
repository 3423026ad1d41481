/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../faults.h"

/* One run of the simulation, from a seed or from a list of decisions (../seed.h). */
struct run_result {
    char violation[512]; /* empty: none */
    uint64_t digest, decisions, calls, turns, simulated_ns;
    uint64_t connections, messages, replies;
    uint64_t faults[SIM_FAULTS];
};

struct run_options {
    bool verbose;
    bool log;    /* every run has a record log */
    bool tls;    /* every run has listeners that speak TLS */
    bool canary; /* a fault that must be found: the journal forgets an entry now and then */
};

/* Collects the results of a run that is about to end. */
void run_result(struct run_result *ret);

/* Call after sim_seed_draw() or sim_seed_replay(). */
void run(const struct run_options *options, struct run_result *ret);
