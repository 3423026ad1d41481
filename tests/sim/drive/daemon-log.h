/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The record log of the simulated process: what the main thread does for it. Without a log, nothing
 * happens, and everything succeeds. */

/* Draws a run's [Log]. */
void daemon_log_draw(void);

/* The log takes every message of so many bytes, and perhaps some that are a little larger. */
size_t daemon_log_takes(void);

void daemon_log_init(void);
/* False: it did not start. If the process is not up any more, it was killed meanwhile. */
bool daemon_log_start(void);
/* False: the process was killed meanwhile. */
bool daemon_log_stop(void);
/* The process is killed. */
void daemon_log_forget(void);

/* Between turns: the main thread reads what it is notified of. */
void daemon_log_listen(void);
/* Whether it knows that the log has failed. */
bool daemon_log_has_failed(void);
/* Starts and stops are no longer cut short by a crash. */
void daemon_log_turn_fair(void);
