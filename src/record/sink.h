/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/record.h"

/*
 * Where records go. A sink belongs to one thread and never blocks.
 *
 * Records are staged: encoded, and kept in order. Submitting hands over what is staged, as far as
 * the sink takes it. It tells how many of the oldest records are now where they should be: in the
 * journal's queue, or written. Then their replies may go. A record may come to be there at once, or
 * with a later call. What a sink could not take stays staged. Nothing is dropped: where there is no
 * room, the connections that have messages wait.
 */

#define SINK_JOURNAL_SOCKET "/run/systemd/journal/socket" /* journald's own */

enum sink_state {
    SINK_READY, /* has taken all that was submitted */
    SINK_BUSY,  /* is full, or at work: submit again in a while, or when its descriptor says so */
    SINK_STRAINED, /* the system lacks memory, files or space: submit again in a while */
    SINK_AWAY,     /* nobody is there: open again in a while */
};

struct sink;

/* What each kind of sink does for the functions below. submit() sets s->state where it is not
 * SINK_READY. */
struct sink_ops {
    int (*open)(struct sink *s);
    void (*free)(struct sink *s);
    size_t (*room)(const struct sink *s);
    int (*stage)(struct sink *s, const struct record *record);
    size_t (*submit)(struct sink *s, int *ret_error);
};

struct sink {
    const struct sink_ops *ops;
    const char *name; /* for people, who read it behind "the": "journal" */
    enum sink_state state;
    int fd;           /* -1: not open; closed by then in SINK_AWAY */
    uint32_t events;  /* EPOLL*: what its descriptor reports when a busy sink can go on */
    size_t n_waiting; /* records that are staged, or submitted and not yet where they should be */
};

/* Each to be freed with sink_free(); NULL, out of memory. In SINK_AWAY until it is opened. */

/* The journal's native socket. path: NULL for journald's own; borrowed. */
struct sink *sink_journal_new(const char *path);
/* A line for each record on standard error. */
struct sink *sink_stderr_new(void);

/* NULL is fine. */
void sink_free(struct sink *s);

/* Whether journald's socket exists. path as above. */
bool sink_journal_exists(const char *path);

/* Opens a sink that is away. What is staged stays. 0 and SINK_READY; or a negative errno. */
int sink_open(struct sink *s);

/* How many more records can be staged. The number is an estimate, but 0 is exact. */
size_t sink_room(const struct sink *s);

/* Keeps a copy of the record, encoded. 0; -EAGAIN: there is no room; -ENOMEM. */
int sink_stage(struct sink *s, const struct record *record);

/* Hands over what it can, and sets the state. Returns how many records, the oldest, have come to be
 * where they should be since the last call. *ret_error: 0; or a negative errno: the next record
 * after these can never be made. The sink has dropped it, and the caller submits again. A sink that
 * is not open does nothing, and returns 0. */
size_t sink_submit(struct sink *s, int *ret_error);

/* --- for sinks --- */

/* The state in which an error of the kernel leaves a sink. */
enum sink_state sink_state_after(int error);
