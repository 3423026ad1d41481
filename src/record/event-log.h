/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "net/peer.h"
#include "record/event.h"

/*
 * The operational log: what happens to the daemon, as opposed to the messages it receives. Any
 * thread may write to it without blocking. sd_journal_send(3) would make a worker wait for a
 * stopped journal. What cannot be written immediately is dropped.
 *
 * Each kind of event that peers can cause, and the counters, is written at most once a second. The
 * next event of that kind says how many were suppressed.
 */

/* Opens the log, before other threads start. by_hand: write lines to standard error. Otherwise
 * write entries to the journal at `journal_path` (NULL: journald's own), which is copied. */
void event_log_open(bool by_hand, const char *journal_path);
void event_log_close(void);

/* Returns false if the event cannot be written now, because the journal is full or away: the caller
 * may try again. Returns true also if the event was suppressed, as above. */
_printf_(2, 3) bool event_log(enum event event, const char *format, ...);

/* One connection: its entries carry its peer, number and listener. All fields are borrowed. */
struct event_about {
    const struct peer *peer;
    const char *listener;
    uint64_t number;
};

_printf_(3, 4) void event_log_about(enum event event, const struct event_about *about,
                                    const char *format, ...);
