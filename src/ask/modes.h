/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ask/exchange.h"

/*
 * The three modes. Each runs to its end over a connected exchange, which holds any failure.
 */

/* Sends the MESSAGE arguments, each after the reply to the last one. Repeats them if asked. */
void ask_messages(struct exchange *e);

/* Sends the lines of standard input, many in flight. */
void ask_pipe(struct exchange *e);

/* Runs the prompt at a terminal. Returns the signal that ended it, or 0. */
int ask_prompt(struct exchange *e);
