/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A line typed at a terminal, while other things go on: the editor calls back whenever it waits for
 * a key, and lets text be shown above the line meanwhile.
 *
 * There are two of it: editor-libedit.c, with editing and history, and editor-plain.c, where the
 * terminal itself edits what is typed, and there is no history.
 */

struct editor;

/* Returns 0 once standard input is readable, or a negative errno, which ends the line. */
typedef int (*editor_wait_fn)(void *userdata);

/* There can be one at a time. prompt must outlive it. 0 or a negative errno. */
int editor_new(const char *prompt, editor_wait_fn wait, void *userdata, struct editor **ret);

/* Gives the terminal back as it was. */
void editor_free(struct editor **e);

/* Prompts for a line. 1 and the line, without its newline, borrowed until the next call; 0 at the
 * end of input; or what the wait function returned: then the line was dropped. */
int editor_read(struct editor *e, const char **ret_line, size_t *ret_size);

/* The functions below are called from the wait function, or between lines. */

/* Shows whole lines of text above the line that is being typed. 0 or a negative errno. */
int editor_show(struct editor *e, const void *text, size_t n);

/* Whether nothing has been typed, as far as can be told. */
bool editor_is_empty(struct editor *e);

/* The terminal's size has changed. */
void editor_resize(struct editor *e);

/* Before and after the process is stopped. */
void editor_suspend(struct editor *e);
void editor_resume(struct editor *e);

/* Reads the history's file, which need not be there; replaces it. 0 or a negative errno. */
int editor_load_history(struct editor *e, const char *path);
int editor_save_history(struct editor *e, const char *path);
