/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/record.h"

/*
 * Where records go: the journal, or lines on standard error. A sink belongs to one thread and never
 * blocks.
 *
 * Records are staged (encoded into a batch), and flushed (handed to the kernel) in order. A reply
 * may go once its record was flushed: then the kernel has it, and it survives this process. What
 * the sink could not take stays staged, and nothing more can be staged behind a full batch: whoever
 * brings messages has to wait, and nothing is dropped.
 *
 * The sink's descriptor is for an edge-triggered loop, which belongs to the caller.
 */

#define SINK_JOURNAL_SOCKET "/run/systemd/journal/socket" /* journald's own */

#define SINK_BATCH_MAX   512 /* records staged at most: journald's queue has as many places */
#define SINK_BATCH_BYTES (256 * 1024) /* beyond so many bytes no more is staged */

enum sink_state {
    SINK_READY,    /* takes records, as far as is known */
    SINK_BLOCKED,  /* full: flush again when the descriptor has become writable */
    SINK_STRAINED, /* the kernel is out of memory, which gives no edge: flush again in a while */
    SINK_AWAY,     /* nobody is there: sink_open() again in a while */
    SINK_REFUSED,  /* the oldest record cannot be handed over, however often one tries: sink_drop(),
                      then flush again */
};

struct sink;

struct sink_kind {
    /* A descriptor, or a negative errno. */
    int (*open)(struct sink *s);
    /* Appends a record to *out. 0 or -ENOMEM. */
    int (*encode)(struct buffer **out, const struct record *record);
    /* Hands over n staged records; the number taken, at least 1, or a negative errno. -EBADMSG:
     * the first can never be; s->refusal says why. */
    ssize_t (*send)(struct sink *s, size_t first, size_t n);
};

struct sink {
    const struct sink_kind *kind;
    const char *path; /* of the journal's socket; borrowed */
    int fd;
    int large_fd; /* the journal's: the oldest entry as a file, while there is no room for it */
    enum sink_state state;
    int refusal;          /* in SINK_REFUSED: a negative errno */
    struct buffer *bytes; /* the batch, encoded */
    size_t n_staged, n_flushed;
    size_t ends[SINK_BATCH_MAX]; /* in bytes: where each record ends */
};

/* The journal's native socket. path: NULL for journald's own. */
void sink_init_journal(struct sink *s, const char *path);
/* A line for each record on standard error. */
void sink_init_stderr(struct sink *s);
void sink_deinit(struct sink *s);

/* Whether journald's socket exists. path as above. */
bool sink_journal_exists(const char *path);

/* Opens, or opens anew, the descriptor; a former one has been closed by then. What is staged stays.
 * 0 or a negative errno, state SINK_AWAY. */
int sink_open(struct sink *s);

/* Closes the descriptor: state SINK_AWAY. What is staged stays. */
void sink_close(struct sink *s);

/* 0; -EAGAIN: the batch is full, or the sink takes nothing now; -ENOMEM. */
int sink_stage(struct sink *s, const struct record *record);

/* Hands over what it can. Returns the number of records that the kernel took by this call, the
 * oldest first, and sets the state. In SINK_AWAY the descriptor has been closed. */
size_t sink_flush(struct sink *s);

/* In SINK_REFUSED: gives up the oldest record. */
void sink_drop(struct sink *s);

static inline size_t sink_waiting(const struct sink *s)
{
    return s->n_staged - s->n_flushed;
}
