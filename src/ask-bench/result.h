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

/* About one second of the run. Times are in ns. */
struct sample {
    double at; /* its end, in seconds since the measurement began */
    double seconds;
    struct counters delta;
    uint64_t connections; /* open at the end */
    uint64_t p50, p99, p999, max;
    uint64_t late_max;
    bool behind; /* the generator could not keep up */
};

/* The result of a run, for reports. */
struct result {
    const struct options *options;
    time_t started;
    uint32_t workers;
    uint64_t sources;               /* local addresses used; 1 if the kernel chose */
    char address[ADDRESS_TEXT_MAX]; /* that the name resolved to */
    size_t message_size;            /* without framing */
    struct counters total;
    char tls_error[TLS_ERROR_MAX]; /* why the first failed handshake failed, or "" */
    uint64_t connections;          /* established at the same time */
    uint64_t planned;              /* messages that were due, if there was a rate */
    uint64_t cpu_ns;               /* of all workers */
    uint64_t late_max;             /* ns */
    double connect_seconds;        /* until all connections were there */
    double seconds;                /* of the measurement */
    bool interrupted;
    int signal;             /* the signal that ended it; 0: none */
    struct sample *samples; /* from malloc() */
    size_t n_samples, n_room;
    struct histogram latency; /* of messages */
    struct histogram connect; /* of making connections */
};

void result_deinit(struct result *r);

/* Appends a sample. 0 or -ENOMEM. */
int result_append(struct result *r, const struct sample *s);

/* Messages answered a second. */
double result_rate(const struct result *r);

/* The share of time in which workers did not wait, 0 to 1. */
double result_busy(const struct result *r);

/* The number of samples in which the generator fell behind. */
size_t result_behind(const struct result *r);

/* Whether the generator fell behind in a sample. In the open loop: more than 1 % of the messages
 * were sent late. In the closed loop nothing can be late: the workers hardly ever waited for the
 * server. */
bool sample_behind(const struct options *o, uint32_t workers, const struct sample *s);

/* The metric of an assertion, in its unit. */
double result_metric(const struct result *r, const struct assertion *a);

/* The number of assertions that do not hold. Prints a line for each. */
size_t result_check(const struct result *r, FILE *f);

/* Whether the run fell short of the request: missing connections, dead workers. Prints a line about
 * it. */
bool result_incomplete(const struct result *r, FILE *f);

/* Prints a line about failed handshakes, if there were any. */
void result_explain_tls(const struct result *r, FILE *f);

/* Whether no message was answered and the user did not end the run. Prints a line about it. */
bool result_unanswered(const struct result *r, FILE *f);

/* The percentiles in every report. */
#define REPORT_PERCENTILES 6
struct report_percentile {
    const char *name;
    double percentile;
};
extern const struct report_percentile report_percentiles[REPORT_PERCENTILES];

/* "closed loop, 16 in flight" and so on. Returns text. */
char *result_describe_mode(const struct options *o, char *text, size_t size);

/* The reports. 0 or a negative errno from writing. */
int report_text(const struct result *r, FILE *f);
int report_json(const struct result *r, FILE *f);
int report_html(const struct result *r, FILE *f);
