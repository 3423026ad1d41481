/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Waits for a daemon to write to a log: inotify(7) tells of each write, and of the next segment,
 * which appears by a rename. Nothing is polled.
 */

/* Begins to watch the folder, before it is read, so that nothing is overlooked. A descriptor or a
 * negative errno. */
int follow_open(const char *directory);

/* Waits. 1: something was written; 0: nobody reads standard output any more; or a negative
 * errno. */
int follow_wait(int fd);
