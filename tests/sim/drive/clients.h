/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* Clients of all kinds. Each makes one connection after another. */

void clients_begin(void);
/* They continue, but read their replies and begin nothing new. What they wait for must come. */
void clients_turn_fair(void);
/* Whether all have finished. */
bool clients_are_done(void);
/* Clients that wait for something that will never come give up. */
void clients_let_go(void);
/* For the reader of a trace: the remaining clients. */
void clients_tell(void);
void clients_end(void);
