/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Standard error without blocking.
 *
 * Others share it: the shell that started us, for one. O_NONBLOCK and the offset of a file belong to
 * the open file, which is theirs too (open(2)).
 *
 * So O_NONBLOCK is not set on descriptor 2. A pipe or a terminal is opened again through /proc, which
 * gives an open file of our own (proc(5)). A socket cannot be opened so, but can be written to with
 * MSG_DONTWAIT. A regular file does not block, and must not be opened again: a second offset would
 * overwrite what others write.
 */

/* A descriptor for stderr_write(), which the caller closes; or a negative errno. */
int stderr_open(void);

/* Writes at most PIPE_BUF bytes. The number of bytes written, or a negative errno: -EAGAIN where it
 * would block. */
ssize_t stderr_write(int fd, const void *data, size_t size);
