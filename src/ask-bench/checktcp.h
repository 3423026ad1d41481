/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ask-bench/limits.h"
#include "ask-bench/options.h"
#include "ask-bench/sources.h"

/* What a run asks of the machine. */
struct demand {
    uint64_t connections;
    uint64_t active;   /* of them, sending or receiving at a time */
    uint64_t per_turn; /* bytes that one of them may have on its way */
    uint64_t workers;
    uint64_t ports;        /* in use at a time, over all local addresses */
    uint64_t sources;      /* local addresses */
    const char *more_from; /* an address that --source could begin with; "" for none */
    bool tcp, local;       /* local: the server is on this machine too */
};

#define CHECK_TEXT_MAX 200
#define CHECKS_MAX     8

/* One limit held against the run. */
struct check {
    const char *name;
    bool stops;
    char text[CHECK_TEXT_MAX]; /* what there is and what is needed */
    char lift[CHECK_TEXT_MAX]; /* the command that lifts it, where it stops the run */
};

/* Holds each limit that is known against what is asked. Returns the number of checks. */
size_t checktcp_compare(const struct demand *d, const struct limits *l,
                        struct check checks[static CHECKS_MAX]);

/* Says which limits would stop the run, on f. Returns the exit status: BENCH_OK if none does. */
int checktcp_run(const struct options *o, FILE *f);
