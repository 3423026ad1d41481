/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/*
 * The largest size of a journal file on this machine, in bytes, from journald.conf(5) and its
 * drop-ins, or else from the size of the file system. An entry must fit into a file. root: ""
 * except in tests.
 */
uint64_t journal_file_limit(const char *root);
