/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* Clients of all kinds. Each makes one connection after another. */

void clients_begin(void);
/* They go on, but read what they are sent, and begin nothing new: what they wait for must come. */
void clients_turn_fair(void);
/* Whether all have ended. */
bool clients_are_done(void);
/* Those that wait for nothing that will ever come let go. */
void clients_let_go(void);
/* For the reader of a trace: who is left. */
void clients_tell(void);
void clients_end(void);
