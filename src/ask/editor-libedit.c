/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "ask/editor.h"
#include "base/macros.h"

#define HISTORY_LINES 1000

struct editor {
    EditLine *el;
    History *history;
    const char *prompt;
    editor_wait_fn wait;
    void *userdata;
    struct termios settings; /* the terminal's own settings */
    char *line;              /* the last line read */
    int error;               /* what the wait function returned */
    bool reading;            /* inside el_gets(): a line is on the screen */
    bool dumb;               /* the terminal cannot move its cursor up */
};

/* Keys that libedit does not bind by itself: those known from shells, and the tab, which would
 * vanish from pasted text. */
static const char *const bindings[][2] = {
    { "^I", "ed-insert" },           { "^R", "em-inc-search-prev" },
    { "^W", "ed-delete-prev-word" }, { "\\e[3~", "ed-delete-next-char" },
    { "\\e[1~", "ed-move-to-beg" },  { "\\e[4~", "ed-move-to-end" },
    { "\\e[H", "ed-move-to-beg" },   { "\\e[F", "ed-move-to-end" },
    { "\\e[1;5C", "em-next-word" },  { "\\e[1;5D", "ed-prev-word" },
};

static struct editor *editor_of(EditLine *el)
{
    void *e = NULL;

    (void)el_get(el, EL_CLIENTDATA, &e);
    return e;
}

static char *prompt_of(EditLine *el)
{
    return (char *)editor_of(el)->prompt;
}

/* The position of a character on the screen, in rows and columns from the start of the prompt. */
struct place {
    size_t row, column;
};

/* The columns that libedit uses for a character: el_wgets shows controls as ^X and unprintable
 * characters as \U+XXXX. */
static size_t width_of(wchar_t c)
{
    int width = wcwidth(c);

    if (c < 0x20 || c == 0x7f)
        return 2;
    if (width > 0)
        return (size_t)width;
    return iswprint((wint_t)c) ? 1 : c > 0xffff ? 8 : 7;
}

/* Fills rows as libedit does: a wide character does not cross the margin, and the row ends with its
 * last column. */
static void place_add(struct place *p, wchar_t c, size_t columns)
{
    size_t width = c == '\t' ? 8 - p->column % 8 : width_of(c);

    if (width > 1 && c >= 0x80 && p->column + width > columns) {
        p->row++;
        p->column = 0;
    }
    p->column += width;
    while (p->column >= columns) {
        p->row++;
        p->column = width == 2 && c >= 0x80 ? 0 : p->column - columns;
    }
}

/* libedit does not tell the cursor's position. It follows from the text before the cursor. */
static struct place place_of(struct editor *e, const wchar_t *until)
{
    const LineInfoW *line = el_wline(e->el);
    struct winsize size = { 0 };
    struct place p = { 0 };
    size_t columns, rows;

    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    columns = size.ws_col > 1 ? size.ws_col : 80;
    rows = size.ws_row > 0 ? size.ws_row : 24;

    for (const char *s = e->prompt; *s; s++)
        place_add(&p, *s, columns);
    for (const wchar_t *s = line->buffer; s < until; s++)
        place_add(&p, *s, columns);
    if (until < line->lastchar && wcwidth(*until) == 2 && p.column + 2 > columns)
        p = (struct place){ .row = p.row + 1 };
    p.row = MIN(p.row, rows - 1);
    return p;
}

/* Moves below the line being typed and puts `mark` at its end. */
static void leave_line(struct editor *e, const char *mark)
{
    const LineInfoW *line = el_wline(e->el);
    struct place cursor = place_of(e, line->cursor), end = place_of(e, line->lastchar);

    if (!e->dumb) {
        (void)fputs("\r", stdout);
        if (end.row > cursor.row)
            (void)printf("\033[%zuB", end.row - cursor.row);
        if (end.column > 0)
            (void)printf("\033[%zuC", end.column);
    }
    (void)printf("%s\r\n", mark);
    (void)fflush(stdout);
}

/* 1; 0 at the end of input; -1 on failure. */
static int read_byte(struct editor *e, char *ret)
{
    ssize_t n;

    do {
        e->error = e->wait(e->userdata);
        if (e->error < 0) {
            leave_line(e, e->error == -EINTR ? "^C" : "");
            return -1;
        }
        n = read(STDIN_FILENO, ret, 1);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n < 0)
        e->error = -errno;
    return (int)n;
}

/* libedit calls this for every character and is idle meanwhile. So everything else at the prompt
 * happens in here. Drops bytes that are not a character. */
static int read_key(EditLine *el, wchar_t *ret)
{
    struct editor *e = editor_of(el);
    mbstate_t state = { 0 };

    for (;;) {
        char byte;
        int r = read_byte(e, &byte);

        if (r <= 0)
            return r;
        switch (mbrtowc(ret, &byte, 1, &state)) {
        case (size_t)-1:
            /* This byte may start a character after one that was cut short. */
            state = (mbstate_t){ 0 };
            if (mbrtowc(ret, &byte, 1, &state) == 1)
                return 1;
            if (!mbsinit(&state) && (byte & 0xc0) != 0xc0)
                state = (mbstate_t){ 0 };
            break;
        case (size_t)-2:
            break;
        default:
            return 1;
        }
    }
}

/* The C locale has no characters beyond ASCII, but terminals speak UTF-8. */
static void choose_locale(void)
{
    if (MB_CUR_MAX == 1)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
}

/*
 * libedit restores the terminal's usual settings whenever a line is complete. A key typed just then
 * would be echoed, and a Ctrl-D lost. So these "execute" settings (editrc(5): setty -x) are made as
 * quiet as those for editing. It must happen after EL_PREP_TERM, which reads them from the
 * terminal.
 */
static void prepare_terminal(struct editor *e)
{
    (void)el_set(e->el, EL_PREP_TERM, 1);
    (void)el_set(e->el, EL_SETTY, "-x", "-echo", "-icanon", NULL);
}

int editor_new(const char *prompt, editor_wait_fn wait, void *userdata, struct editor **ret)
{
    _cleanup_(editor_free) struct editor *e = malloc(sizeof *e);
    const char *terminal = getenv("TERM");
    HistEvent event;

    if (!e)
        return -ENOMEM;
    *e = (struct editor){ .prompt = prompt, .wait = wait, .userdata = userdata };
    e->dumb = !terminal || !terminal[0] || strcmp(terminal, "dumb") == 0;
    if (tcgetattr(STDIN_FILENO, &e->settings) < 0)
        return -errno;
    choose_locale();
    e->el = el_init("ask", stdin, stdout, stderr);
    e->history = history_init();
    if (!e->el || !e->history)
        return -ENOMEM;

    (void)history(e->history, &event, H_SETSIZE, HISTORY_LINES);
    (void)history(e->history, &event, H_SETUNIQUE, 1);
    (void)el_set(e->el, EL_CLIENTDATA, e);
    (void)el_set(e->el, EL_PROMPT, prompt_of);
    (void)el_set(e->el, EL_HIST, history, e->history);
    (void)el_set(e->el, EL_EDITOR, "emacs");
    for (size_t i = 0; i < ARRAY_SIZE(bindings); i++)
        (void)el_set(e->el, EL_BIND, bindings[i][0], bindings[i][1], NULL);
    /* The user's ~/.editrc comes last. It need not exist. */
    (void)el_source(e->el, NULL);
    (void)el_wset(e->el, EL_GETCFN, read_key);
    prepare_terminal(e);
    *ret = STEAL_PTR(e);
    return 0;
}

void editor_free(struct editor **e)
{
    if (!*e)
        return;
    if ((*e)->el)
        el_end((*e)->el);
    if ((*e)->history)
        history_end((*e)->history);
    free((*e)->line);
    free(*e);
    *e = NULL;
}

int editor_read(struct editor *e, const char **ret_line, size_t *ret_size)
{
    const char *line;
    HistEvent event;
    int n = 0;

    e->error = 0;
    e->reading = true;
    line = el_gets(e->el, &n);
    e->reading = false;
    if (e->error < 0)
        return e->error;
    if (!line || n <= 0) {
        (void)fputs("\n", stdout);
        (void)fflush(stdout);
        return 0;
    }
    free(e->line);
    e->line = strndup(line, strcspn(line, "\n"));
    if (!e->line)
        return -ENOMEM;
    if (e->line[0])
        (void)history(e->history, &event, H_ENTER, e->line);
    *ret_line = e->line;
    *ret_size = strlen(e->line);
    return 1;
}

/* Moves to the start of the line being typed and clears it. */
static void clear_line(struct editor *e)
{
    size_t up = place_of(e, el_wline(e->el)->cursor).row;

    if (e->dumb) {
        (void)fputs("\r\n", stdout);
        return;
    }
    (void)fputs("\r", stdout);
    if (up > 0)
        (void)printf("\033[%zuA", up);
    (void)fputs("\033[J", stdout);
}

int editor_show(struct editor *e, const void *text, size_t n)
{
    const char *s = text;

    if (e->reading)
        clear_line(e);
    while (n > 0) {
        const char *lf = memchr(s, '\n', n);
        size_t size = lf ? (size_t)(lf - s) : n;

        (void)fwrite(s, 1, size, stdout);
        /* While a line is edited, the terminal does not add carriage returns. */
        if (lf)
            (void)fputs(e->reading ? "\r\n" : "\n", stdout);
        s += size + (lf ? 1 : 0);
        n -= size + (lf ? 1 : 0);
    }
    if (fflush(stdout) != 0)
        return -errno;
    /* EL_REFRESH assumes that the cursor is at the start of the prompt. */
    if (e->reading)
        (void)el_set(e->el, EL_REFRESH);
    return 0;
}

bool editor_is_empty(struct editor *e)
{
    const LineInfoW *line = el_wline(e->el);

    return line->lastchar == line->buffer;
}

void editor_resize(struct editor *e)
{
    /* el_resize() forgets the screen's contents but does not clear them. */
    clear_line(e);
    el_resize(e->el);
    (void)el_set(e->el, EL_REFRESH);
}

void editor_suspend(struct editor *e)
{
    leave_line(e, "");
    (void)el_set(e->el, EL_PREP_TERM, 0);
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &e->settings);
}

void editor_resume(struct editor *e)
{
    prepare_terminal(e);
    el_resize(e->el);
    (void)el_set(e->el, EL_REFRESH);
}

int editor_load_history(struct editor *e, const char *path)
{
    HistEvent event;

    if (access(path, F_OK) < 0)
        return errno == ENOENT ? 0 : -errno;
    return history(e->history, &event, H_LOAD, path) < 0 ? -EIO : 0;
}

/* Writes another file and renames it, so that the history is always whole. */
int editor_save_history(struct editor *e, const char *path)
{
    _cleanup_free_ char *temporary = NULL;
    HistEvent event;
    FILE *f;
    int fd, r;

    if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
        temporary = NULL;
        return -ENOMEM;
    }
    fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
    if (fd < 0)
        return -errno;
    f = fdopen(fd, "w");
    if (!f) {
        r = -errno;
        (void)close_fd(fd);
        (void)unlink(temporary);
        return r;
    }
    r = history(e->history, &event, H_SAVE_FP, f) < 0 ? -EIO : 0;
    if (fclose(f) != 0 && r == 0)
        r = -errno;
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0)
        (void)unlink(temporary);
    return r;
}
