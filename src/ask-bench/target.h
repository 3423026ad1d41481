/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ask-bench/options.h"
#include "net/address.h"

/*
 * The one address that all connections go to. A name that stands for several is tried, one
 * connection each, until one answers; the last where none does.
 *
 * 0, or a negative errno that has been said on stderr.
 */
int target_resolve(const struct options *o, struct sockaddr_any *ret);
