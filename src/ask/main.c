/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask/modes.h"
#include "base/macros.h"
#include "base/print.h"
#include "base/version.h"

#ifdef HAVE_LIBEDIT
#define WITH_LIBEDIT "+libedit"
#else
#define WITH_LIBEDIT       "-libedit"
#define BUILT_WITH_LIBEDIT "no libedit"
#endif
#ifdef HAVE_JANSSON
#define WITH_JANSSON "+jansson"
#else
#define WITH_JANSSON       "-jansson"
#define BUILT_WITH_JANSSON "no jansson"
#endif
#ifdef HAVE_OPENSSL
#define WITH_OPENSSL "+openssl"
#else
#define WITH_OPENSSL       "-openssl"
#define BUILT_WITH_OPENSSL "no openssl"
#endif

/* The socket would get the number of a closed standard descriptor. Opens /dev/null in its place, in
 * the wrong direction: reading and writing still give EBADF. */
static bool keep_numbers(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

static int exit_status(int printed)
{
    return printed < 0 ? STATUS_SYSTEM : STATUS_OK;
}

/* False: the error is printed. */
static bool prepare_tls(const struct options *o, struct tls_client **ret)
{
    struct tls_client_settings settings = o->tls_settings;
    _cleanup_free_ char *error = NULL;

    if (!settings.name && o->address.family != AF_UNIX)
        settings.name = o->address.host[0] ? o->address.host : "localhost";
    if (tls_client_new(&settings, ret, &error) == 0)
        return true;
    (void)fprintf(stderr, "ask: %s\n", error ?: strerror(ENOMEM));
    return false;
}

static int ask(const struct options *o)
{
    bool terminal = isatty(STDOUT_FILENO);
    static struct tls_client *tls; /* never freed: see attempt_begin() */
    static struct exchange e;
    int signal = 0;
    enum status status;
    const char *why;

    if (o->tls && !prepare_tls(o, &tls))
        return STATUS_USAGE;
    exchange_init(&e, o, tls, terminal);
    if (exchange_connect(&e) == 0) {
        if (o->n_messages > 0)
            ask_messages(&e);
        else if (terminal && !o->quiet && isatty(STDIN_FILENO))
            signal = ask_prompt(&e);
        else
            ask_pipe(&e);
    }
    status = exchange_verdict(&e, &why);
    if (status != STATUS_OK)
        (void)fprintf(stderr, "ask: %s: %s\n", o->address_text, why);
    exchange_deinit(&e);
    /* The convention of shells for a process killed by a signal. */
    return signal > 0 ? 128 + signal : (int)status;
}

int main(int argc, char **argv)
{
    char error[OPTIONS_ERROR_MAX];
    struct options options;
    int status = STATUS_OK;

    if (!keep_numbers())
        return STATUS_SYSTEM;
    /* Defines characters for regular expressions and the prompt. */
    (void)setlocale(LC_CTYPE, "");

    if (ask_options_parse(argc, argv, &options, error) < 0) {
        (void)fprintf(stderr, "ask: %s\n", error);
        return STATUS_USAGE;
    }
    switch (options.action) {
    case ACTION_HELP:
        status = exit_status(print_text(ask_options_help));
        break;
    case ACTION_VERSION:
        status = exit_status(version_print("ask", WITH_LIBEDIT " " WITH_JANSSON " " WITH_OPENSSL,
                                           BUILT_WITH_LIBEDIT ", " BUILT_WITH_JANSSON
                                                              ", " BUILT_WITH_OPENSSL));
        break;
    case ACTION_ASK:
        status = ask(&options);
        break;
    }
    ask_options_deinit(&options);
    return status;
}
