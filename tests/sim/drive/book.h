/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../observer.h"
#include "conn.h"

/*
 * The book of a run: who said what, what was recorded, and what was answered. It is written by what
 * the kernel is asked to do, and by changes of state; whatever does not fit is a violation.
 */

struct book {
    struct conn **conns;
    unsigned n_conns, capacity;
    uint64_t progress; /* grows with all that happens for a client's good */
    uint64_t records, replies, bytes_in, bytes_out, accepted;
    uint64_t last_progress, progress_at;
    bool canary;  /* now and then a record does not come: it must be found */
    bool crowded; /* too many connections to look at all whenever a worker sleeps */
};

extern struct book book;

void book_begin(void);
void book_end(void);

/* By our number: the port of a TCP client, the process of a UNIX one. NULL: there is none. */
struct conn *book_find(unsigned number);
struct conn *book_dial(enum framing framing);

/* After each turn of the world. */
void book_turned(void);
/* So long nothing has happened, ns. */
uint64_t book_quiet(void);

void book_process_began(void);
void book_process_ended(void); /* by itself: its counters are looked at */
void book_process_gone(void);
void book_excuse_all(unsigned excuse);
void book_drain_begins(void);

/* --- records.c --- */

/* The journal's queue has taken an entry. */
void record_taken(const uint8_t *entry, size_t n);
/* The terminal has taken bytes of a worker. */
void record_printed(unsigned worker, const char *bytes, size_t n);
void records_begin(void);
void records_end(void);

/* --- inspect.c --- */

struct worker;
/* A worker that is about to sleep for so long. */
void inspect(struct worker *w, uint64_t timeout_ns);
/* In the middle of a turn: notes whether the worker stands still for too long. */
void inspect_clock(void);
