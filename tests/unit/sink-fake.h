/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/batch.h"
#include "record/sink.h"

/*
 * A sink that behaves as the test says: it takes records immediately, later, in parts, or not at
 * all. A record is staged, taken by a submit, done, and reported by a submit.
 */

struct fake_record {
    uint64_t connection, seq;
    char text[32]; /* the first bytes of the message */
};

struct sink_fake {
    struct sink sink;

    /* Set by the test. */
    size_t places;           /* for records not reported yet */
    size_t takes;            /* how many more it takes; SIZE_MAX: all */
    bool later;              /* taken records are done only with sink_fake_finish() */
    enum sink_state refuses; /* the state after every submit; SINK_READY: no refusal */
    int open_error;          /* errno of opening; 0: it succeeds */
    bool is_file;            /* its descriptor cannot be watched */
    uint64_t failing;        /* number of the record that fails, from 1; 0: none */

    /* Observed by the test. */
    struct fake_record *records; /* all staged records, in order */
    size_t staged, taken, done, told;
    unsigned opens, submits;
};

struct sink_fake *sink_fake_new(void);

/* n more of the taken records are done (SIZE_MAX: all), and its descriptor reports it. */
void sink_fake_finish(struct sink_fake *f, size_t n);

/* It takes n more records, and its descriptor reports it. */
void sink_fake_make_room(struct sink_fake *f, size_t n);

/* Its descriptor reports that a submit is worthwhile. */
void sink_fake_wake(struct sink_fake *f);
