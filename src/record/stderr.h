/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Standard error without blocking.
 *
 * O_NONBLOCK belongs to the open file, which others share: the shell that started us, for one. So
 * it is not set on descriptor 2. Standard error is opened again through /proc, which gives an open
 * file of our own (proc(5)). A socket cannot be opened so, but can be written to with MSG_DONTWAIT.
 */

/* A descriptor for stderr_write(), which the caller closes; or a negative errno. */
int stderr_open(void);

/* The number of bytes written, or a negative errno: -EAGAIN where it would block. */
ssize_t stderr_write(int fd, const void *data, size_t size);
