/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The file in which the prompt's history is kept: $XDG_STATE_HOME/ask/history, by default
 * ~/.local/state/ask/history (XDG Base Directory Specification). Its folders are made, for the user
 * alone, where they are missing. 0 and a string to be freed, or a negative errno; -ENOENT without a
 * home.
 */
int state_history_path(char **ret);
