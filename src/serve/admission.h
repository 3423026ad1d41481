/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "net/peer.h"
#include "serve/context.h"
#include "serve/settings.h"

/*
 * Who may become a connection. A refusal is counted, logged, and told to the peer; the caller
 * closes the socket.
 */

/* Allow=, Deny= and MaxConnectionsPerAddress=. *ret_counted: see address_limit_claim(). */
bool admission_client(struct context *x, const struct settings *s, int fd, const struct peer *peer,
                      bool *ret_counted);

/* ProxyFrom=. The peer gets no reply: it would not expect one. */
bool admission_proxy(struct context *x, const struct settings *s, const struct peer *peer);

/* Sends an error reply to a peer that will be refused. */
void admission_tell(struct context *x, const struct settings *s, int fd, const char *reason);
