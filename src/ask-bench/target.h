/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ask-bench/options.h"
#include "net/address.h"
#include "net/tls-client.h"

/*
 * Chooses the address for all connections. If a name resolves to several, tries each with one
 * connection until one accepts; takes the last if none does.
 *
 * 0, or a negative errno after a report on stderr.
 */
int target_resolve(const struct options *o, struct sockaddr_any *ret);

/* With --tls: how to begin TLS with the target, from files that the options name. 0,
 * or a negative errno after reporting the error. */
int target_prepare_tls(const struct options *o, struct tls_client **ret);
