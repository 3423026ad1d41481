/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "hooks.h"
#include "serve/worker.h"
#include "sink-fake.h"

/*
 * Workers on a test stand: no threads, time that moves when a test says so (hooks.h), a fake sink in
 * the place of the journal, and clients at the other ends of real sockets.
 */

#define STAND_WORKERS 2

struct stand {
    struct shared shared;
    struct context *contexts[STAND_WORKERS];
    struct worker *workers[STAND_WORKERS];
    struct sink_fake *sinks[STAND_WORKERS];
    unsigned n;
    struct settings *settings; /* of connections to come: line framing, a reply is its message */
    int descriptors;           /* that were open before */
};

void stand_begin(struct stand *s, unsigned n_workers);

/* Closes everything, and sees that nothing is left. */
void stand_end(struct stand *s);

/* Settings like the others, to be changed before anyone uses them. */
struct settings *stand_settings(const char *name);

/* Open descriptors of this process. */
int stand_descriptors(void);

/* A client of that worker; returns its end of the connection, which does not block. */
int stand_connect(struct stand *s, unsigned worker);
int stand_connect_tcp(struct stand *s, unsigned worker);

/* A listening TCP socket on a loopback port of the kernel's choice. */
int stand_listen(void);

/* A client that is on its way to it. */
int stand_dial(int listener);

/* The connection that came last, if that worker has it. */
struct connection *stand_last(struct stand *s, unsigned worker);

/* The states that a connection has entered: a letter each, of F, L and C. */
const char *stand_states(uint64_t number);

/* Takes turns until nothing is left to do now. Gives the number of turns. */
unsigned stand_run(struct stand *s);

/* So much time passes, and what is due is done. */
void stand_pass(struct stand *s, uint64_t ms);

/* A client sends. */
void stand_say(int fd, const char *text);

/* What a client has been sent, as text; it is overwritten by the next call. "" where there is
 * nothing; what comes before an end of the stream ends in "$", and before a reset in "!". */
const char *stand_hear(int fd);
