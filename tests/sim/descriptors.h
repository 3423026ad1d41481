/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "file.h"

/* The descriptors of the one process that the world has. */

void sim_descriptors_begin(bool plain);
/* Closes all that are open: the process has ended. */
void sim_descriptors_close_all(void);
void sim_descriptors_end(void);

/* RLIMIT_NOFILE, and how many files the whole system may have open. */
void sim_descriptors_limit(int process, size_t whole_system);

/* The lowest free one that is not below `from`; the reference is taken over, and dropped on
 * failure. Or -EMFILE, -ENFILE. */
int sim_descriptor_new(struct sim_file *file, int from);
/* Whether sim_descriptor_new() would succeed: 0, -EMFILE or -ENFILE. */
int sim_descriptor_room(void);
/* NULL: EBADF. */
struct sim_file *sim_descriptor(int fd);
/* The open descriptor fd names another file from now on; the reference is taken over. */
void sim_descriptor_replace(int fd, struct sim_file *file);
/* 0 or -EBADF. */
int sim_descriptor_close(int fd);
size_t sim_descriptors_open(void);
/* The lowest open one that is not below `from`, or -1. */
int sim_descriptor_next(int from);
