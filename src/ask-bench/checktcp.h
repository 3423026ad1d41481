/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ask-bench/limits.h"
#include "ask-bench/options.h"
#include "ask-bench/sources.h"

/* What a run needs from the machine. */
struct demand {
    uint64_t connections;
    uint64_t active;   /* connections that send or receive at the same time */
    uint64_t per_turn; /* bytes that one of them may have in flight */
    uint64_t workers;
    uint64_t ports;        /* in use at the same time, over all local addresses */
    uint64_t sources;      /* local addresses */
    const char *more_from; /* an address that --source could begin with; "" if there is none */
    bool tcp, local;       /* local: the server is on this machine */
};

#define CHECK_TEXT_MAX 200
#define CHECKS_MAX     8

/* One limit, compared with the run. */
struct check {
    const char *name;
    bool stops;
    char text[CHECK_TEXT_MAX]; /* the limit and the need */
    char lift[CHECK_TEXT_MAX]; /* the command that lifts it, if it stops the run */
};

/* Compares each known limit with the demand. Returns the number of checks. */
size_t checktcp_compare(const struct demand *d, const struct limits *l,
                        struct check checks[static CHECKS_MAX]);

/* Prints the limits that would stop the run. Returns the exit status, BENCH_OK if there are
 * none. */
int checktcp_run(const struct options *o, FILE *f);
