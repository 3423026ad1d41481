/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask/editor.h"
#include "base/buffer.h"

struct editor {
    const char *prompt;
    editor_wait_fn wait;
    void *userdata;
    struct buffer *input; /* the last line, and input after it */
    size_t taken;         /* bytes of the last line */
    bool prompted;
};

int editor_new(const char *prompt, editor_wait_fn wait, void *userdata, struct editor **ret)
{
    struct editor *e = malloc(sizeof *e);

    if (!e)
        return -ENOMEM;
    *e = (struct editor){ .prompt = prompt, .wait = wait, .userdata = userdata };
    *ret = e;
    return 0;
}

void editor_free(struct editor **e)
{
    if (!*e)
        return;
    buffer_free(&(*e)->input);
    free(*e);
    *e = NULL;
}

static void show_prompt(struct editor *e)
{
    (void)fputs(e->prompt, stdout);
    (void)fflush(stdout);
    e->prompted = true;
}

/* The terminal delivers whole lines, one per read if there is room (termios(3)). */
static int read_more(struct editor *e)
{
    ssize_t n;
    int r;

    r = e->wait(e->userdata);
    if (r < 0)
        return r;
    r = buffer_reserve(&e->input, 4096);
    if (r < 0)
        return r;
    n = read(STDIN_FILENO, buffer_tail(e->input), 4096);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? 1 : -errno;
    buffer_commit(e->input, (size_t)n);
    return n > 0;
}

int editor_read(struct editor *e, const char **ret_line, size_t *ret_size)
{
    if (e->input)
        buffer_consume(e->input, e->taken);
    e->taken = 0;
    show_prompt(e);
    for (;;) {
        size_t n = buffer_size(e->input);
        char *line = n > 0 ? (char *)buffer_head(e->input) : NULL;
        char *lf = n > 0 ? memchr(line, '\n', n) : NULL;
        int r;

        if (lf) {
            *ret_line = line;
            *ret_size = (size_t)(lf - line);
            e->taken = *ret_size + 1;
            e->prompted = false;
            return 1;
        }
        r = read_more(e);
        if (r <= 0) {
            (void)fputs("\n", stdout);
            (void)fflush(stdout);
            e->prompted = false;
            return r;
        }
    }
}

/* The terminal owns the line being typed. It cannot be redrawn, only left behind. */
int editor_show(struct editor *e, const void *text, size_t n)
{
    if (e->prompted && fputs("\n", stdout) < 0)
        return -errno;
    if (fwrite(text, 1, n, stdout) != n || (e->prompted && fputs(e->prompt, stdout) < 0) ||
        fflush(stdout) != 0)
        return -errno;
    return 0;
}

bool editor_is_empty(struct editor *e)
{
    (void)e;
    return true;
}

void editor_resize(struct editor *e)
{
    (void)e;
}

void editor_suspend(struct editor *e)
{
    (void)e;
}

void editor_resume(struct editor *e)
{
    show_prompt(e);
}

int editor_load_history(struct editor *e, const char *path)
{
    (void)e;
    (void)path;
    return 0;
}

int editor_save_history(struct editor *e, const char *path)
{
    (void)e;
    (void)path;
    return 0;
}
