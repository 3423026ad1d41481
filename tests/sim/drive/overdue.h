/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A run that does not end: the program goes around in circles. It ends the process, and says so. The
 * limit is processor time, so a busy machine does not shorten it. */

/* Begins anew. what: what runs now, such as "seed 7". seconds: of processor time. */
void overdue_watch(const char *what, unsigned seconds);
