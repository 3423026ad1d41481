/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/record.h"

/*
 * Where records go. A sink belongs to one thread and never blocks.
 *
 * Staging encodes a record and keeps it in order. Submitting hands over staged records, as far as
 * the sink takes them. It returns how many of the oldest records have arrived: in the journal's
 * queue, or written. Then their replies may be sent. A record may arrive immediately or with a
 * later call. A record that the sink could not take stays staged. Nothing is dropped: if there is
 * no room, the connections that have messages wait.
 */

/* The most records that a sink holds, staged and submitted. */
#define SINK_RECORDS 2048

#define SINK_JOURNAL_SOCKET "/run/systemd/journal/socket" /* journald's own */

enum sink_state {
    SINK_READY,   /* took everything that was submitted */
    SINK_WORKING, /* it will complete records by itself: submit again when its descriptor is ready */
    SINK_BUSY,    /* full: submit again in a while, or when its descriptor is ready */
    SINK_STRAINED, /* the system lacks memory, files or space: submit again in a while */
    SINK_AWAY,     /* nothing answers: open again in a while */
};

struct committer;
struct sink;

/* The operations of each kind of sink. submit() sets s->state if it is not SINK_READY. */
struct sink_ops {
    int (*open)(struct sink *s);
    void (*free)(struct sink *s);
    size_t (*room)(const struct sink *s);
    int (*stage)(struct sink *s, const struct record *record);
    size_t (*submit)(struct sink *s, int *ret_error);
};

struct sink {
    const struct sink_ops *ops;
    enum sink_state state;
    int fd;           /* -1: not open; already closed in SINK_AWAY */
    uint32_t events;  /* EPOLL*: what its descriptor reports when a busy sink can continue */
    size_t n_waiting; /* records staged or submitted that have not arrived yet */
};

/* Free each with sink_free(). NULL: out of memory. The state is SINK_AWAY until the sink is
 * opened. */

/* The journal's native socket. path: NULL for journald's own; borrowed. */
struct sink *sink_journal_new(const char *path);
/* Writes a line to standard error for each record. */
struct sink *sink_stderr_new(void);

/* The record log. The committer writes it, for all workers; the sink is away until it is open. */
struct sink *sink_log_new(struct committer *committer);

/* NULL is fine. */
void sink_free(struct sink *s);

/* Whether journald's socket exists. path as above. */
bool sink_journal_exists(const char *path);

/* Opens a sink that is away. What is staged stays. 0 and SINK_READY; or a negative errno. */
int sink_open(struct sink *s);

/* How many more records can be staged. This is an estimate, but 0 is exact. */
size_t sink_room(const struct sink *s);

/* Keeps an encoded copy of the record. 0; -EAGAIN: no room; -ENOMEM. */
int sink_stage(struct sink *s, const struct record *record);

/* Hands over what it can, and sets the state. Returns how many of the oldest records have arrived
 * since the last call. *ret_error: 0, or a negative errno if the next record after these can never
 * be made. The sink has dropped that record, and the caller submits again. A sink that is not open
 * does nothing, and returns 0. */
size_t sink_submit(struct sink *s, int *ret_error);

/* --- for sinks --- */

/* The state of a sink after a kernel error. */
enum sink_state sink_state_after(int error);
