/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads a line from a terminal. The editor calls back whenever it waits for a key. The callback can
 * show text above the line.
 *
 * There are two implementations. editor-libedit.c has editing and history. In editor-plain.c the
 * terminal itself edits the line, and there is no history.
 */

struct editor;

/* Waits until standard input is readable. 0, or a negative errno, which ends the line. */
typedef int (*editor_wait_fn)(void *userdata);

/* Only one editor can exist at a time. prompt must outlive it. 0 or a negative errno. */
int editor_new(const char *prompt, editor_wait_fn wait, void *userdata, struct editor **ret);

/* Restores the terminal. */
void editor_free(struct editor **e);

/* Prompts for a line. 1 and the line without its newline, borrowed until the next call; 0 at the
 * end of input; or the error of the wait function, and the line is dropped. */
int editor_read(struct editor *e, const char **ret_line, size_t *ret_size);

/* Call the functions below from the wait function, or between lines. */

/* Shows whole lines of text above the line being typed. 0 or a negative errno. */
int editor_show(struct editor *e, const void *text, size_t n);

/* Whether the line is empty, as far as the editor can tell. */
bool editor_is_empty(struct editor *e);

/* The terminal's size has changed. */
void editor_resize(struct editor *e);

/* Call before and after the process is stopped. */
void editor_suspend(struct editor *e);
void editor_resume(struct editor *e);

/* Reads the history from a file, which need not exist; writes it. 0 or a negative errno. */
int editor_load_history(struct editor *e, const char *path);
int editor_save_history(struct editor *e, const char *path);
