/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ask/exchange.h"

/*
 * The three ways of asking, each over a connected exchange until it is through. What went wrong is
 * in the exchange.
 */

/* Sends the MESSAGE arguments, each after the reply to the one before; repeats them where the
 * options say so. */
void ask_messages(struct exchange *e);

/* Sends the lines of standard input, many in flight. */
void ask_pipe(struct exchange *e);

/* Talks with a person at a terminal. Returns the number of the signal that ended it, or 0. */
int ask_prompt(struct exchange *e);
