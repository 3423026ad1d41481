/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

/* The other actors: the journal, the terminal's reader, and the operator. */

void journal_begin(void);
void journal_turn_fair(void);
void journal_end(void);

void terminal_begin(void);
void terminal_turn_fair(void);
void terminal_end(void);

void operator_begin(void);
/* Whether the operator wants to act. If so, call operator_act() between turns. */
bool operator_is_due(void);
void operator_act(void);
void operator_turn_fair(void);
void operator_end(void);
