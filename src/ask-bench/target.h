/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ask-bench/options.h"
#include "net/address.h"

/*
 * Chooses the address for all connections. If a name resolves to several, tries each with one
 * connection until one accepts; takes the last if none does.
 *
 * 0, or a negative errno after a report on stderr.
 */
int target_resolve(const struct options *o, struct sockaddr_any *ret);
