/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Whole reads and writes at an offset. An interrupted or short one goes on. */

/* Exactly n bytes: 0; -ENODATA: the file ends before; or a negative errno. */
int file_read(int fd, void *bytes, size_t n, uint64_t offset);

/* 0 or a negative errno: then some of the bytes may be written. */
int file_write(int fd, const void *bytes, size_t n, uint64_t offset);

/* Up to n bytes: how many there were, fewer at the end of the file; or a negative errno. */
ssize_t file_read_some(int fd, void *bytes, size_t n, uint64_t offset);
