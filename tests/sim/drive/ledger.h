/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../disk.h"
#include "../file.h"

/*
 * The ledger of the record log: each record that was written, and whether it is safe. It reads the
 * files itself, by the format's description, and never asks the program.
 *
 * A record that is safe must be there after every start: once, with the same bytes, and with no gap
 * before it, unless retention removed it.
 */

#define LOG_FOLDER "/disk/log"

void ledger_begin(void);
void ledger_end(void);

/* A process begins. always: it may answer only what is synced; else what is written. */
void ledger_process_began(bool always);
/* It has recovered the log, and gives its next record this number. */
void ledger_recovered(uint64_t next_number);
/* It ended. orderly: it says that everything is on the disk. */
void ledger_process_ended(bool orderly);
/* The machine has crashed. */
void ledger_crashed(void);

/* When a sync of records failed, in this process; 0: none did. */
uint64_t ledger_failed_at(void);

/* For the observer. */
void ledger_written(struct sim_file *file, uint64_t offset, size_t n);
void ledger_synced(struct sim_file *file, int error);
void ledger_unlinking(const char *name, const struct sim_inode *inode);
