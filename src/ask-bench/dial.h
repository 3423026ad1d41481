/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ask-bench/sources.h"
#include "net/address.h"

/*
 * Makes a non-blocking socket of the target's family, bound to source address `number` unless the
 * kernel chooses. lasting: the connection will carry more than one message. Returns the descriptor
 * or a negative errno.
 */
int dial_socket(const struct sockaddr_any *target, const struct sources *sources, uint64_t number,
                bool lasting);
