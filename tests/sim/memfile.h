/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file.h"

/* Draws whether the program may create memory files. plain: it may. */
void sim_memfile_begin(bool plain);
bool sim_memfile_forbidden(void);

/* memfd_create(2): a file in memory that is only appended to and sealed. */
struct sim_file *sim_memfile_new(void);
bool sim_memfile_is(const struct sim_file *file);
int sim_memfile_seal(struct sim_file *file, unsigned seals); /* 0 or a negative errno */
unsigned sim_memfile_seals(const struct sim_file *file);
/* Its contents. */
const uint8_t *sim_memfile_bytes(const struct sim_file *file, size_t *ret_size);
