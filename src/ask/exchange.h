/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask/attempt.h"
#include "ask/options.h"
#include "ask/output.h"
#include "ask/pending.h"
#include "ask/refusal.h"
#include "ask/replies.h"
#include "ask/rtt.h"
#include "ask/stream.h"
#include "base/macros.h"

/*
 * Messages out, replies in, and what became of them: what all of ask's modes have in common. A mode
 * decides what is sent and when, and waits in exchange_wait(), where everything else happens.
 */

enum status {
    STATUS_OK = 0,
    STATUS_REPLY = 1, /* did not match, was a refusal, or was cut off */
    STATUS_USAGE = 2,
    STATUS_CONNECT = 3,
    STATUS_TIMEOUT = 4,
    STATUS_ENDED = 5,
    STATUS_SYSTEM = 71, /* EX_OSERR of sysexits.h */
};

#define EXCHANGE_EXTRA_MAX 2
#define EXCHANGE_FOREVER   UINT64_MAX

struct exchange {
    const struct options *options;
    struct stream stream;
    struct attempt *attempt; /* to connect again; NULL: none is under way */
    struct replies replies;
    struct pending pending;
    struct refusal refusal;
    struct output output;
    struct buffer *subject; /* the reply that is compared with --expect */

    struct rtt rtt;
    uint64_t sent, answered, received;
    uint64_t timeout_us;  /* for a reply */
    uint64_t progress_us; /* when bytes last left, or a reply last came */
    uint64_t retries;     /* left, to connect again */
    uint64_t pause_us;    /* before the next of them */
    uint64_t retry_us;    /* when it is due; 0: none is */

    enum status status;
    char failure[1024];  /* for people, where status is not STATUS_OK */
    char mismatch[1024]; /* the first reply that did not match --expect; counts unless it failed */
};

/* Not connected yet. options must outlive it. */
void exchange_init(struct exchange *e, const struct options *options, bool terminal);
void exchange_deinit(struct exchange *e);

/* The functions below return 0, or -1 once the exchange has failed: then status and failure say
 * why. */

/* Connects, with the retries that there are. */
int exchange_connect(struct exchange *e);

/* Gives the connection up, and all that was on its way, and what failed: exchange_connect() may
 * follow. */
void exchange_disconnect(struct exchange *e);

/* Begins to connect again, unless that is under way. Messages can be sent at once, and
 * exchange_wait() does the rest. */
int exchange_reconnect(struct exchange *e);

/* Puts a message on its way; its reply will be the first after those of all before it. */
int exchange_send(struct exchange *e, const void *text, size_t size);

/*
 * Sends and receives until something happened: something was received or sent, one of `extra` (at
 * most EXCHANGE_EXTRA_MAX) is ready, which its revents then say, or the clock shows until_us
 * (exchange_now(), or EXCHANGE_FOREVER). Replies are shown before it waits.
 *
 * Where retries are left, the end of the connection does not fail: it connects again, and sends all
 * messages that have no reply, in their order.
 *
 * Fails when a reply is late, or cannot be read, and when the connection ends while messages are
 * without a reply, within a reply, or as a refusal. Else stream.ended says that it ended.
 */
int exchange_wait(struct exchange *e, struct pollfd *extra, size_t n_extra, uint64_t until_us);

/* Shows the replies that have arrived. */
int exchange_show(struct exchange *e);

/* Whether the last reply may yet turn out to be a refusal: exchange_wait() will tell. */
bool exchange_suspects(const struct exchange *e);

/* Notes a failure. The first one counts. Always returns -1. */
_printf_(3, 4) int exchange_fail(struct exchange *e, enum status status, const char *format, ...);

/* What the exchange comes to, a failure or a reply that did not match, and why. */
enum status exchange_verdict(const struct exchange *e, const char **ret_why);

/* CLOCK_MONOTONIC, in µs. */
uint64_t exchange_now(void);
