/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ask/editor.h"
#include "ask/modes.h"
#include "ask/state.h"
#include "base/macros.h"
#include "base/parse.h"

/* Values of the wait function that end a line, besides errors. */
#define LINE_DROPPED (-EINTR)
#define TALK_ENDED   (-ECANCELED)

struct prompt {
    struct exchange *exchange;
    struct editor *editor;
    int signal_fd;
    int signal; /* the signal that ended the prompt, or 0 */
};

static int show(void *userdata, const void *text, size_t n)
{
    struct prompt *p = userdata;

    return editor_show(p->editor, text, n);
}

/* SIGTSTP's default action, not SIGSTOP: the kernel ignores it if no shell could continue the
 * process (setpgid(2): orphaned process groups). */
static void stop_process(struct prompt *p)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTSTP);
    editor_suspend(p->editor);
    (void)raise(SIGTSTP);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL); /* the process stops here */
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    editor_resume(p->editor);
}

/* The default action of a signal would not restore the terminal. */
static int take_signal(struct prompt *p)
{
    struct signalfd_siginfo info;

    if (read(p->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return 0;
    switch (info.ssi_signo) {
    case SIGWINCH:
        editor_resize(p->editor);
        return 0;
    case SIGTSTP:
        stop_process(p);
        return 0;
    case SIGINT:
        return editor_is_empty(p->editor) ? TALK_ENDED : LINE_DROPPED;
    default:
        p->signal = (int)info.ssi_signo;
        return TALK_ENDED;
    }
}

/* The connection has ended. Shows the reason above the line being typed, which stays. 0 or
 * TALK_ENDED. */
static int part(struct prompt *p)
{
    struct exchange *e = p->exchange;
    char text[sizeof e->failure + 64];
    int n;

    if (e->status == STATUS_SYSTEM)
        return TALK_ENDED;
    if (exchange_show(e) < 0)
        return TALK_ENDED;
    n = snprintf(text, sizeof text, "ask: %s. The next line reconnects.\n",
                 e->status == STATUS_OK ? stream_why(&e->stream, 0) : e->failure);
    exchange_disconnect(e);
    return editor_show(p->editor, text, (size_t)n) < 0 ? TALK_ENDED : 0;
}

static int wait_for_key(void *userdata)
{
    struct prompt *p = userdata;
    struct exchange *e = p->exchange;

    for (;;) {
        struct pollfd extra[] = {
            { .fd = STDIN_FILENO, .events = POLLIN },
            { .fd = p->signal_fd, .events = POLLIN },
        };
        int r;

        if (exchange_wait(e, extra, ARRAY_SIZE(extra), EXCHANGE_FOREVER) < 0 || e->stream.ended) {
            r = part(p);
            if (r < 0)
                return r;
            continue;
        }
        if (extra[1].revents != 0) {
            r = take_signal(p);
            if (r < 0)
                return r;
        }
        if (extra[0].revents != 0)
            return 0;
    }
}

static int catch_signals(struct prompt *p)
{
    static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH };
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        (void)sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return p->signal_fd < 0 ? -errno : 0;
}

static bool is(const char *line, size_t size, const char *word)
{
    return size == strlen(word) && memcmp(line, word, size) == 0;
}

/* 0, or -1 if the prompt is over. */
static int send_line(struct prompt *p, const char *line, size_t size)
{
    struct exchange *e = p->exchange;

    if (is(line, size, "\\quit")) {
        line++;
        size--;
    }
    if (e->stream.fd < 0 && exchange_reconnect(e) < 0)
        return part(p) < 0 ? -1 : 0;
    return exchange_send(e, line, size);
}

/* Sends lines that were typed before the connection was made. Ctrl-C gives up. */
static void send_rest(struct prompt *p)
{
    struct exchange *e = p->exchange;
    struct pollfd signal = { .fd = p->signal_fd, .events = POLLIN };

    while (e->attempt) {
        if (exchange_wait(e, &signal, 1, EXCHANGE_FOREVER) < 0)
            return;
        if (signal.revents != 0 && take_signal(p) < 0)
            return;
    }
    if (e->stream.fd >= 0)
        (void)stream_flush(&e->stream);
}

static void talk(struct prompt *p)
{
    const char *line;
    size_t size;
    int r;

    for (;;) {
        r = editor_read(p->editor, &line, &size);
        if (r == LINE_DROPPED)
            continue;
        if (r < 0 && r != TALK_ENDED)
            (void)exchange_fail(p->exchange, STATUS_SYSTEM, "standard input: %s", strerror(-r));
        if (r < 0)
            return;
        if (r == 0 || is(line, size, "quit")) {
            send_rest(p);
            return;
        }
        if (size > 0 && send_line(p, line, size) < 0)
            return;
    }
}

int ask_prompt(struct exchange *e)
{
    _cleanup_(editor_free) struct editor *editor = NULL;
    _cleanup_free_ char *history = NULL;
    struct prompt p = { .exchange = e, .signal_fd = -1 };
    bool can_save;
    int r;

    r = editor_new(">>> ", wait_for_key, &p, &editor);
    if (r == 0)
        r = catch_signals(&p);
    if (r < 0) {
        (void)exchange_fail(e, STATUS_SYSTEM, "prompt: %s", strerror(-r));
        return 0;
    }
    p.editor = editor;
    /* The prompt works without the history. A file that could not be read is not overwritten. */
    can_save = state_history_path(&history) == 0 && editor_load_history(editor, history) == 0;

    (void)printf("Connected to %s%s. quit or Ctrl-D ends.\n"
                 "Anything else is sent. \"man ask\" has the keys.\n",
                 e->stream.peer, e->tls ? " with TLS" : "");
    e->retries = 0;
    /* A person sees that no reply comes. */
    e->timeout_us = SPAN_INFINITY;
    e->output.show = show;
    /* cppcheck-suppress autoVariables ; reset below */
    e->output.userdata = &p;
    talk(&p);
    (void)exchange_show(e);
    e->output.show = NULL;
    e->output.userdata = NULL;
    if (can_save)
        (void)editor_save_history(editor, history);
    (void)close_fd(p.signal_fd);
    return p.signal;
}
