/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "file.h"

/*
 * Standard error: a pipe whose reader reads what is written, or does not. Writes of up to PIPE_BUF
 * bytes are atomic (pipe(7)).
 */

void sim_terminal_begin(bool plain);
void sim_terminal_end(void);

/* Another descriptor for it. */
struct sim_file *sim_terminal_open(void);
bool sim_terminal_is(const struct sim_file *file);

/* The reader takes up to n bytes. */
size_t sim_terminal_read(void *bytes, size_t n);
void sim_terminal_set_capacity(size_t bytes);
