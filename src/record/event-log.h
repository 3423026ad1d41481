/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "net/peer.h"
#include "record/event.h"

/*
 * The operational log: what happens to the daemon, not what it is sent. From any thread, and never
 * blocking, since sd_journal_send(3) would make a worker wait for a stopped journal. What cannot be
 * written at once is dropped.
 *
 * Each kind of event that peers can bring about is written at most once a second; the next one says
 * how many were left out.
 */

/* Lines on standard error (by hand), or entries in the journal, whose socket is at `journal_path`
 * (NULL: journald's own; borrowed). */
void event_log_open(bool by_hand, const char *journal_path);
void event_log_close(void);

/* False where it could not be written now, the journal being full or away; try it again then. */
_printf_(2, 3) bool event_log(enum event event, const char *format, ...);

/* About one connection: the entry carries its peer, number and listener. */
struct event_about {
    const struct peer *peer;
    const char *listener;
    uint64_t number;
};

_printf_(3, 4) void event_log_about(enum event event, const struct event_about *about,
                                    const char *format, ...);
