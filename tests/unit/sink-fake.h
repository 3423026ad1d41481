/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/batch.h"
#include "record/sink.h"

/*
 * A sink that does as a test says: takes records at once, later, in parts, or not at all. Records
 * are staged, taken by a submit, done, and told of by a submit.
 */

struct fake_record {
    uint64_t connection, seq;
    char text[32]; /* the message's first bytes */
};

struct sink_fake {
    struct sink sink;

    /* What the test says. */
    size_t places;           /* for records that are not told of */
    size_t takes;            /* so many may yet be taken; SIZE_MAX: all that come */
    bool later;              /* what is taken is done when sink_fake_finish() says so */
    enum sink_state refuses; /* every submit leaves it in this state; SINK_READY: it does not */
    int open_error;          /* opening it fails so; 0: it does not */
    bool is_file;            /* its descriptor cannot be watched */
    uint64_t failing;        /* number of the record that cannot be made, from 1; 0: none */

    /* What happened. */
    struct fake_record *records; /* all that were staged, in order */
    size_t staged, taken, done, told;
    unsigned opens, submits;
};

struct sink_fake *sink_fake_new(void);

/* n more of those that were taken are done; all: SIZE_MAX. Its descriptor says so. */
void sink_fake_finish(struct sink_fake *f, size_t n);

/* It takes n more, of which its descriptor tells. */
void sink_fake_make_room(struct sink_fake *f, size_t n);

/* Its descriptor says that it is worth submitting again. */
void sink_fake_wake(struct sink_fake *f);
