/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "hooks.h"
#include "serve/worker.h"
#include "sink-fake.h"

/*
 * Workers on a test stand: no threads, a clock that the test moves (hooks.h), a fake sink in place
 * of the journal, and clients at the other ends of real sockets.
 */

#define STAND_WORKERS 2

struct stand {
    struct shared shared;
    struct context *contexts[STAND_WORKERS];
    struct worker *workers[STAND_WORKERS];
    struct sink_fake *sinks[STAND_WORKERS];
    unsigned n;
    struct settings *settings; /* for new connections: line framing, replies echo the message */
    int descriptors;           /* number open before the test */
};

void stand_begin(struct stand *s, unsigned n_workers);

/* Closes everything, and checks that nothing is left. */
void stand_end(struct stand *s);

/* The same settings as above, to be changed before use. */
struct settings *stand_settings(const char *name);

/* The number of open descriptors of this process. */
int stand_descriptors(void);

/* Connects a client to that worker. Returns the client's non-blocking end. */
int stand_connect(struct stand *s, unsigned worker);
int stand_connect_tcp(struct stand *s, unsigned worker);

/* A listening TCP socket on a loopback port that the kernel chooses. */
int stand_listen(void);

/* A client that connects to it. */
int stand_dial(int listener);

/* The latest connection, if that worker has it. */
struct connection *stand_last(struct stand *s, unsigned worker);

/* The states that a connection has entered, one letter each: F, L, C. */
const char *stand_states(uint64_t number);

/* Takes turns until nothing is left to do for now. Returns the number of turns. */
unsigned stand_run(struct stand *s);

/* Lets this time pass, and does what is due. */
void stand_pass(struct stand *s, uint64_t ms);

/* Sends text as a client. */
void stand_say(int fd, const char *text);

/* What a client has received, as text, valid until the next call. "" if nothing. "$" at the end
 * marks the end of the stream, "!" a reset. */
const char *stand_hear(int fd);
