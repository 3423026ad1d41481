/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "file.h"

/* The descriptors of the world's only process. */

void sim_descriptors_begin(bool plain);
/* Closes all open descriptors when the process ends. */
void sim_descriptors_close_all(void);
void sim_descriptors_end(void);

/* RLIMIT_NOFILE, and the limit on open files in the whole system. */
void sim_descriptors_limit(int process, size_t whole_system);

/* The lowest free descriptor from `from` on. Takes over the reference, and drops it on failure.
 * Returns -EMFILE or -ENFILE on failure. */
int sim_descriptor_new(struct sim_file *file, int from);
/* Whether sim_descriptor_new() would succeed: 0, -EMFILE or -ENFILE. */
int sim_descriptor_room(void);
/* NULL: EBADF. */
struct sim_file *sim_descriptor(int fd);
/* Makes the open descriptor fd name another file. Takes over the reference. */
void sim_descriptor_replace(int fd, struct sim_file *file);
/* 0 or -EBADF. */
int sim_descriptor_close(int fd);
size_t sim_descriptors_open(void);
/* The lowest open descriptor from `from` on, or -1. */
int sim_descriptor_next(int from);
