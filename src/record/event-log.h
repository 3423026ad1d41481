/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "net/peer.h"
#include "record/event.h"

/*
 * The operational log: what happens to the daemon, not what it is sent. Any thread may write to it,
 * and none blocks: sd_journal_send(3) would make a worker wait for a stopped journal. What cannot
 * be written at once is dropped.
 *
 * Each kind of event that peers can bring about, and the counters, is written at most once a
 * second. The next event of the kind says how many were left out.
 */

/* Opens the log, before there are other threads. by_hand: lines on standard error; else entries in
 * the journal, whose socket is at `journal_path` (NULL: journald's own), which is copied. */
void event_log_open(bool by_hand, const char *journal_path);
void event_log_close(void);

/* False where it could not be written now, since the journal is full or away: the caller may try
 * again. True also where it was left out, as above. */
_printf_(2, 3) bool event_log(enum event event, const char *format, ...);

/* One connection, for its entries: they carry its peer, number and listener. All is borrowed. */
struct event_about {
    const struct peer *peer;
    const char *listener;
    uint64_t number;
};

_printf_(3, 4) void event_log_about(enum event event, const struct event_about *about,
                                    const char *format, ...);
