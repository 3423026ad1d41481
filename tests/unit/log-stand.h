/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "log/recovery.h"
#include "log/writer.h"

/* A log in a folder of the test's own, written without threads. Record number n always has the
 * message that log_stand_message() makes of n and the stand's generation. */

#define LOG_STAND_MESSAGE_MAX 3000
#define LOG_STAND_RUN         UINT64_C(0x0123456789abcdef)

struct log_stand {
    char folder[64];
    struct store_limits limits;
    struct store store;
    struct writer writer;
    struct recovery recovery;
    uint64_t generation;   /* the next message's; more for each start */
    uint64_t *generations; /* of each record, by number */
    size_t n;
};

/* Makes the folder; then log_stand_start(). */
void log_stand_init(struct log_stand *s);
void log_stand_deinit(struct log_stand *s);

void log_stand_start(struct log_stand *s);
/* clean: as a daemon that is stopped; else as one that is killed. */
void log_stand_stop(struct log_stand *s, bool clean);

/* Appends n records in one batch, without a sync. */
void log_stand_append(struct log_stand *s, unsigned n);

/* Fails unless the record is what was last written under its number. */
void log_stand_check_item(const struct log_stand *s, const struct log_item *item);

/* Reads the whole log, forwards and backwards. Fails unless each record is what was last written under
 * its number, and the numbers rise. Returns how many there are up to number `to`. */
uint64_t log_stand_check(const struct log_stand *s, uint64_t to);
