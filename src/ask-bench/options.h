/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask-bench/assertions.h"
#include "ask-bench/sources.h"
#include "net/address.h"
#include "protocol/frame.h"

/* Exit statuses. */
enum {
    BENCH_OK = 0,
    BENCH_ASSERTION = 1, /* or nothing was answered */
    BENCH_USAGE = 2,
    BENCH_FAILED = 3,
    BENCH_SIGNAL = 128, /* plus the signal that ended the run */
};

#define CONNECTIONS_MAX 1000000
#define ASSERTIONS_MAX  64

/* How messages are spread over connections and time. */
enum mode {
    MODE_CLOSED, /* a reply lets the next message go */
    MODE_OPEN,   /* each message has its time */
    MODE_HOLD,   /* each connection asks once, or a few times in rounds, and idles */
};

/* What was asked for; strings are borrowed from the command line. */
struct options {
    const char *target; /* as it was written */
    struct address address;
    enum framing framing;
    enum mode mode;
    bool hold;
    bool churn;
    bool verify_echo;
    bool progress;
    bool check_tcp;
    uint64_t connections;
    uint64_t workers;     /* 0: as many as needed */
    uint64_t duration_us; /* SPAN_INFINITY: until the messages are used up */
    uint64_t messages;    /* in all, with MODE_HOLD per connection; 0: until the time is over */
    uint64_t pipeline;
    uint64_t size;
    const char *text; /* the message; NULL: made up, `size` bytes */
    uint64_t rate;    /* messages a second, with MODE_OPEN */
    uint64_t ramp;    /* connections a second; 0: as fast as they go */
    uint64_t timeout_us;
    struct sources sources;  /* count 0: chosen by the target */
    const char *expect_text; /* NULL: any reply will do */
    regex_t expect;          /* compiled, where there is expect_text */
    const char *json, *report, *histogram;
    struct assertion assertions[ASSERTIONS_MAX];
    size_t n_assertions;
};

/*
 * Reads the command line, and says on stderr what is wrong with it. Returns 1 when the run can
 * begin; 0 when --help or --version has been answered; -EINVAL for an error of usage, another
 * negative errno for an answer that could not be written.
 */
int options_parse(struct options *o, int argc, char *argv[]);
