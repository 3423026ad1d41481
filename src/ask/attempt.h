/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "ask/stream.h"
#include "net/address.h"

/*
 * An attempt to connect, on its own thread. Looking up a name and connecting block, for minutes
 * with a bad network. Meanwhile the caller can act on keys and signals.
 */
struct attempt;

/* Begins as stream_open() does. 0 or a negative errno. */
int attempt_begin(const struct address *address, int family, uint64_t timeout_us,
                  struct attempt **ret);

/* Becomes readable when the attempt is over. */
int attempt_fd(const struct attempt *a);

/* Takes the result of an attempt that is over: 0 with fd and peer of *c, whose other fields stay;
 * or a negative errno and *ret_error as from stream_open(). */
int attempt_take(struct attempt *a, struct stream *c, char **ret_error);

/* NULL is fine. An attempt still under way is abandoned: its thread frees it later. */
void attempt_free(struct attempt *a);
