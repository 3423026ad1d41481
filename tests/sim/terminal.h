/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "file.h"

/*
 * What standard error is: a pipe with somebody at its end, who reads what was written, or does not.
 * What is written at once, up to PIPE_BUF, goes whole or not at all (pipe(7)).
 */

void sim_terminal_begin(bool plain);
void sim_terminal_end(void);

/* Another descriptor for it. */
struct sim_file *sim_terminal_open(void);
bool sim_terminal_is(const struct sim_file *file);

/* The reader takes at most n bytes. */
size_t sim_terminal_read(void *bytes, size_t n);
void sim_terminal_set_capacity(size_t bytes);
