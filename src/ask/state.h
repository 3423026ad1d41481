/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The file for the history of the prompt: $XDG_STATE_HOME/ask/history, by default
 * ~/.local/state/ask/history (XDG Base Directory Specification). Makes missing folders, for the
 * user only. 0 and a string to free, or a negative errno; -ENOENT without a home.
 */
int state_history_path(char **ret);
