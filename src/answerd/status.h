/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "serve/shared.h"

/* What is told about the workers' counters. */
struct status {
    uint64_t told_ms, messages; /* when last, and how many there were then */
    char text[160];
};

/* Tells systemd the line that `systemctl status` shows, if it has changed. */
void status_tell(struct status *status, const struct shared *s, uint64_t now_ms);

/* Tells it that the daemon is ready, and the line. */
void status_tell_ready(struct status *status, const struct shared *s, uint64_t now_ms);

/* For SIGUSR1. */
void status_log_counters(const struct shared *s);

/* Messages answered or waiting for their record. */
uint64_t status_messages(const struct shared *s);
