/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

#include "ask/stream.h"
#include "net/address.h"

/*
 * An attempt to connect, on its own thread. Looking up a name and connecting block, for minutes if
 * the network is bad. Meanwhile the caller can handle keys and signals.
 */
struct attempt;

/* Begins; arguments as for stream_open(). The thread of an attempt that was given up may use
 * `client` until the end of the process. 0 or a negative errno. */
int attempt_begin(const struct address *address, int family, uint64_t timeout_us,
                  struct tls_client *client, struct attempt **ret);

/* Becomes readable when the attempt is over. */
int attempt_fd(const struct attempt *a);

/* Takes the result of an attempt that is over. 0, and *c has the connection; or a negative
 * errno and *ret_error, as from stream_open(). */
int attempt_take(struct attempt *a, struct stream *c, char **ret_error);

/* NULL is fine. If the attempt is still under way, its thread frees it later. */
void attempt_free(struct attempt *a);
