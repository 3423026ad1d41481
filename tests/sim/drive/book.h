/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../observer.h"
#include "conn.h"

/*
 * The book of a run: what was sent, what was recorded, and what was answered. The program's calls
 * and its changes of state fill it. Anything that does not fit is a violation.
 */

struct book {
    struct conn **conns;
    unsigned n_conns, capacity;
    uint64_t progress; /* grows with every step forward for a client */
    uint64_t records, replies, bytes_in, bytes_out, accepted;
    uint64_t last_progress, progress_at;
    bool canary;  /* sometimes a record is missing, and must be noticed */
    bool crowded; /* too many connections to check each time a worker sleeps */
};

extern struct book book;

void book_begin(void);
void book_end(void);

/* By our number: the port of a TCP client, the process of a UNIX one. NULL: none. */
struct conn *book_find(unsigned number);
struct conn *book_dial(enum framing framing);

/* After each turn of the world. */
void book_turned(void);
/* How long there has been no progress, in ns. */
uint64_t book_quiet(void);

void book_process_began(void);
void book_process_ended(void); /* it ended by itself: checks its counters */
void book_process_gone(void);
void book_excuse_all(unsigned excuse);
void book_drain_begins(void);

/* --- for book-tls.c --- */

/* The program has received n bytes of messages; begins to send n bytes of replies; has sent them. */
void book_received(struct conn *c, size_t n);
void book_replied(struct conn *c, const uint8_t *bytes, size_t n);
void book_sent(size_t n);

/* --- book-tls.c --- */

/* From now on it sees what is encrypted. */
void book_tls_begin(void);
void book_cipher_received(struct conn *c, size_t n);
/* The program has closed it before it became a connection. */
void book_preface_closed(const struct conn *c);

/* --- records.c --- */

/* The journal's queue took an entry. */
void record_taken(const uint8_t *entry, size_t n);
/* The terminal took bytes from a worker. */
void record_printed(unsigned worker, const char *bytes, size_t n);
/* A record of the log may be answered now: it was synced, or written if that is enough. */
struct record_in_log {
    const char *peer, *port, *listener;
    uint64_t connection, seq;
    const uint8_t *data;
    uint64_t size;
    bool unfinished;
};
struct conn *record_logged(const struct record_in_log *r);
/* The last record of the connection is no longer there. */
void record_revoke(struct conn *c);
void records_begin(void);
void records_end(void);

/* --- inspect.c --- */

struct worker;
/* Checks a worker that is about to sleep for this long. */
void inspect(struct worker *w, uint64_t timeout_ns);
/* In the middle of a turn: notes whether the worker has stalled. */
void inspect_clock(void);
