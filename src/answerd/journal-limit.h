/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/*
 * The largest file that the machine's journal keeps, in bytes, as far as it can be known: by
 * journald.conf(5) and its drop-ins, else by the size of the file system. An entry must fit into a
 * file. root: "" but in tests.
 */
uint64_t journal_file_limit(const char *root);
