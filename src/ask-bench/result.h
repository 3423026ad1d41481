/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "ask-bench/options.h"
#include "ask-bench/stats.h"
#include "base/histogram.h"

/* What happened in about one second. Times are in ns. */
struct sample {
    double at; /* s since the measurement began: its end */
    double seconds;
    struct counters delta;
    uint64_t connections; /* open at its end */
    uint64_t p50, p99, p999, max;
    uint64_t late_max;
    bool behind; /* the generator could not keep up */
};

/* A run, as reports see it. */
struct result {
    const struct options *options;
    time_t started;
    uint32_t workers;
    uint64_t sources;               /* local addresses used; 1 where the kernel chose */
    char address[ADDRESS_TEXT_MAX]; /* where the name led to */
    size_t message_size;            /* without framing */
    struct counters total;
    uint64_t connections;   /* established at the same time */
    uint64_t planned;       /* messages that were due, with a rate asked for */
    uint64_t cpu_ns;        /* of all workers */
    uint64_t late_max;      /* ns */
    double connect_seconds; /* until all connections were there */
    double seconds;         /* of the measurement */
    bool interrupted;
    int signal;             /* that interrupted it */
    struct sample *samples; /* malloc()ed */
    size_t n_samples, n_room;
    struct histogram latency; /* of messages */
    struct histogram connect; /* of connections being established */
};

void result_deinit(struct result *r);

/* Appends a sample. 0 or -ENOMEM. */
int result_append(struct result *r, const struct sample *s);

/* Messages answered a second. */
double result_rate(const struct result *r);

/* The share of their time that workers were not waiting, 0 to 1. */
double result_busy(const struct result *r);

/* The number of samples in which the generator could not keep up. */
size_t result_behind(const struct result *r);

/* Whether a sample shows that: in the open loop more than 1 % of the messages were sent late; in
 * the closed loop, where nothing can be late, the workers hardly ever waited for the server. */
bool sample_behind(const struct options *o, uint32_t workers, const struct sample *s);

/* The metric that an assertion is about, in its unit. */
double result_metric(const struct result *r, const struct assertion *a);

/* How many of the assertions do not hold; each is said on f in a line. */
size_t result_check(const struct result *r, FILE *f);

/* Whether the run was less than what was asked for: connections that were never made, workers that
 * died. Said on f in a line. */
bool result_incomplete(const struct result *r, FILE *f);

/* Whether no message at all was answered, and nobody ended the run. Said on f in a line. */
bool result_unanswered(const struct result *r, FILE *f);

/* The percentiles that every report gives. */
#define REPORT_PERCENTILES 6
struct report_percentile {
    const char *name;
    double percentile;
};
extern const struct report_percentile report_percentiles[REPORT_PERCENTILES];

/* "closed loop, 16 in flight" and so on. Returns text. */
char *result_describe_mode(const struct options *o, char *text, size_t size);

/* The reports. 0, or a negative errno of writing. */
int report_text(const struct result *r, FILE *f);
int report_json(const struct result *r, FILE *f);
int report_html(const struct result *r, FILE *f);
