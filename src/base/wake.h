/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A wake-up between threads or processes: an eventfd. It is readable from the first wake() until
 * wake_clear(), and each wake() is an edge for epoll(7).
 */

/* Returns the descriptor, which does not block, or a negative errno. close_fd() closes it. */
int wake_new(void);

void wake(int fd);

void wake_clear(int fd);
