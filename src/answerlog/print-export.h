/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/buffer.h"
#include "log/format.h"

/* Prints a record to standard output as the entry that the journal has of it, in the Journal Export
 * Format (systemd.io/JOURNAL_EXPORT_FORMATS), for systemd-journal-remote(8). *scratch: memory to
 * reuse. 0 or -ENOMEM. */
int print_export(const struct log_item *item, struct buffer **scratch);
