/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "serve/shared.h"

/* Reports the workers' counters. */
struct status {
    uint64_t told_ms, messages; /* the time of the last report and its number of messages */
    const char *expiry;         /* borrowed: for the end of the line; NULL: nothing */
    char text[256];
};

/* Updates the line in `systemctl status`, if it has changed. unmirrored: records of the log that are
 * not in the journal yet. */
void status_tell(struct status *status, const struct shared *s, uint64_t unmirrored,
                 uint64_t now_ms);

/* Tells systemd that the daemon is ready, with the line. */
void status_tell_ready(struct status *status, const struct shared *s, uint64_t unmirrored,
                       uint64_t now_ms);

/* Logs the counters, for SIGUSR1. */
void status_log_counters(const struct shared *s, uint64_t unmirrored);

/* Messages answered or waiting for their record. */
uint64_t status_messages(const struct shared *s);
