/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Standard error without blocking.
 *
 * We share it with others, such as the shell that started us. O_NONBLOCK and the offset of a file
 * belong to the open file description, which is also theirs (open(2)).
 *
 * So O_NONBLOCK is not set on descriptor 2. A pipe or a terminal is opened again through /proc,
 * which gives a file description of our own (proc(5)). A socket cannot be opened like this, but
 * MSG_DONTWAIT works on it. A regular file does not block, and must not be opened again: a second
 * offset would overwrite the output of others.
 */

/* Returns a descriptor for stderr_write(), which the caller closes, or a negative errno. */
int stderr_open(void);

/* Writes at most PIPE_BUF bytes. Returns the number of bytes written, or a negative errno: -EAGAIN
 * if it would block. */
ssize_t stderr_write(int fd, const void *data, size_t size);
