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
 * Sends messages and takes replies: the part that all modes of ask share. A mode decides what to
 * send and when. It waits in exchange_wait(), where everything else happens.
 */

enum status {
    STATUS_OK = 0,
    STATUS_REPLY = 1, /* a reply did not match, was a refusal, or was cut off */
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
    struct tls_client *tls; /* NULL: no TLS */
    struct stream stream;
    struct attempt *attempt; /* to connect again; NULL: none */
    struct replies replies;
    struct pending pending;
    struct refusal refusal;
    struct output output;
    struct buffer *subject; /* the reply to compare with --expect */

    struct rtt rtt;
    uint64_t sent, answered, received;
    uint64_t timeout_us;  /* the longest wait for a reply */
    uint64_t progress_us; /* when bytes were last sent, or a reply last came */
    uint64_t retries;     /* attempts left to connect again */
    uint64_t pause_us;    /* the pause before the next attempt */
    uint64_t retry_us;    /* when the next attempt is due; 0: none */

    enum status status;
    char failure[1024];  /* the reason, unless status is STATUS_OK */
    char mismatch[1024]; /* the first reply that did not match --expect; a failure takes
                            precedence */
};

/* Not connected yet. options must outlive it, and tls must outlive the process: see
 * attempt_begin(). tls: NULL: no TLS. */
void exchange_init(struct exchange *e, const struct options *options, struct tls_client *tls,
                   bool terminal);
void exchange_deinit(struct exchange *e);

/* The functions below return 0, or -1 if the exchange has failed: see status and failure. */

/* Connects, and retries as often as allowed. */
int exchange_connect(struct exchange *e);

/* Drops the connection, messages in flight and any failure. exchange_connect() or
 * exchange_reconnect() may follow. */
void exchange_disconnect(struct exchange *e);

/* Begins to connect again, unless an attempt is under way. Messages can be sent at once.
 * exchange_wait() completes the connection and sends them. */
int exchange_reconnect(struct exchange *e);

/* Sends a message. Its reply follows those to all earlier messages. */
int exchange_send(struct exchange *e, const void *text, size_t size);

/*
 * Sends and receives until something happens: bytes were sent or received; one of `extra` is ready,
 * and its revents tell (EXCHANGE_EXTRA_MAX at most); or until_us has come (exchange_now(), or
 * EXCHANGE_FOREVER). Shows replies before it waits.
 *
 * If the connection ends and retries are left, it connects again and sends all messages without a
 * reply, in order.
 *
 * Fails if a reply is late or malformed. Fails if the connection ends with a refusal, inside a
 * reply, or with messages unanswered. Otherwise stream.ended tells that it ended.
 */
int exchange_wait(struct exchange *e, struct pollfd *extra, size_t n_extra, uint64_t until_us);

/* Shows the replies that have arrived. */
int exchange_show(struct exchange *e);

/* Whether the last reply may still turn out to be a refusal. exchange_wait() finds out. */
bool exchange_suspects(const struct exchange *e);

/* Records a failure, unless there is one already. Always returns -1. */
_printf_(3, 4) int exchange_fail(struct exchange *e, enum status status, const char *format, ...);

/* The outcome and its reason: a failure, or else a reply that did not match. */
enum status exchange_verdict(const struct exchange *e, const char **ret_why);

/* CLOCK_MONOTONIC, in µs. */
uint64_t exchange_now(void);
