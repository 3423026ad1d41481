/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "log/format.h"

/* Prints a record to standard output: an object and a newline. Bytes that are not UTF-8 are an
 * array of numbers, as in journalctl -o json. */
void print_json(const struct log_item *item);
