/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answerd/config-file.h"
#include "answerd/options.h"
#include "base/command-line.h"
#include "base/print.h"
#include "base/version.h"
#include "net/address.h"

static const char help[] =
    "Usage: answerd [OPTION…]\n"
    "Write each message to the systemd journal or a log, then send a reply.\n"
    "\n"
    "  -c, --config=FILE     read FILE (default, if it exists:\n"
    "                        " SYSCONFDIR "/answerd/answerd.conf)\n"
    "  -l, --listen=ADDRESS  HOST:PORT, *:PORT, [V6]:PORT, /path or @abstract;\n"
    "                        may be repeated (default: 127.0.0.1:8080)\n"
    "  -f, --framing=NAME    line (default), length, netstring or chunk\n"
    "  -r, --reply=TEMPLATE  the reply (default: ok), with the fields {message} {id}\n"
    "                        {peer} {identity} {listener} {seq} {time}; {{ }} for\n"
    "                        braces; \\n \\r \\t \\\\ \\xHH for bytes. none: send nothing\n"
    "  -w, --workers=N|auto  worker threads (default: auto, one for each CPU)\n"
    "      --record=WHERE    journal, log, stderr or none (default: journal; by hand\n"
    "                        on a machine without a journal: stderr)\n"
    "      --check           check the configuration, report errors, exit\n"
    "  -v, --verbose         with --check: show every value and its source\n"
    "  -h, --help            show this help\n"
    "  -V, --version         show the version\n"
    "\n"
    "Sockets come from systemd, otherwise from --listen, otherwise from Listen= in\n"
    "FILE. SIGTERM, SIGINT: answer the messages that have arrived, then exit.\n"
    "SIGHUP: reload FILE. SIGUSR1: log the counters.\n"
    "See answerd(8) and answerd.conf(5).\n";

#ifdef HAVE_OPENSSL
#define WITH_OPENSSL "+openssl"
#else
#define WITH_OPENSSL       "-openssl"
#define BUILT_WITH_OPENSSL "no openssl"
#endif

static const char features[] = WITH_OPENSSL " "
#ifdef HAVE_EPOLL_PWAIT2
                                            "+epoll_pwait2 "
#else
                                            "-epoll_pwait2 "
#endif
#ifdef NDEBUG
                                            "-assertions";
#else
                                            "+assertions";
#endif

enum { OPTION_RECORD = 256, OPTION_CHECK };

static const struct option long_options[] = {
    { "config", required_argument, NULL, 'c' },
    { "listen", required_argument, NULL, 'l' },
    { "framing", required_argument, NULL, 'f' },
    { "reply", required_argument, NULL, 'r' },
    { "workers", required_argument, NULL, 'w' },
    { "record", required_argument, NULL, OPTION_RECORD },
    { "check", no_argument, NULL, OPTION_CHECK },
    { "verbose", no_argument, NULL, 'v' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

void options_free(struct options *o)
{
    free(o->listen);
    o->listen = NULL;
    o->n_listen = 0;
}

#define USUAL_CONFIG SYSCONFDIR "/answerd/answerd.conf"

const char *options_config_file(const struct options *o)
{
    bool usual = access(USUAL_CONFIG, F_OK) == 0 || access(USUAL_CONFIG ".d", F_OK) == 0;

    return o->config ?: usual ? USUAL_CONFIG : NULL;
}

static int add_listen(struct options *o, const char *text)
{
    struct address address;
    const char *error, **listen;

    if (address_parse(text, &address, &error) < 0) {
        (void)fprintf(stderr, "answerd: --listen=%s: %s\n", text, error);
        return -EINVAL;
    }
    listen = reallocarray(o->listen, o->n_listen + 1, sizeof *listen);
    if (!listen) {
        (void)fputs("answerd: out of memory\n", stderr);
        return -ENOMEM;
    }
    o->listen = listen;
    o->listen[o->n_listen++] = text;
    return 0;
}

/* 1, 0 or a negative errno, as from options_parse(). */
static int take_option(struct options *o, int option)
{
    int r;

    switch (option) {
    case 'c':
        o->config = optarg;
        return 1;
    case 'l':
        r = add_listen(o, optarg);
        return r < 0 ? r : 1;
    case 'f':
        o->overrides.framing = optarg;
        return 1;
    case 'r':
        o->overrides.reply = optarg;
        return 1;
    case 'w':
        o->overrides.workers = optarg;
        return 1;
    case OPTION_RECORD:
        o->overrides.record = optarg;
        return 1;
    case OPTION_CHECK:
        o->check = true;
        return 1;
    case 'v':
        o->verbose = true;
        return 1;
    case 'h':
        return print_text(help);
    case 'V':
        return version_print("answerd", features, BUILT_WITH_SYSTEMD ", " BUILT_WITH_OPENSSL);
    default:
        return -EINVAL; /* command_line_next() has reported the error */
    }
}

/* A wrong value is a usage error here and a configuration error in a file. Check it without a
 * file. */
static int check_overrides(const struct config_overrides *o)
{
    const struct config_defaults defaults = { .record = RECORD_NONE };
    struct config *config;
    int r = config_load(NULL, o, &defaults, &config, report_stderr, NULL);

    if (r == 0)
        config_free(config);
    return r;
}

int options_parse(int argc, char *argv[], struct options *ret)
{
    char error[COMMAND_LINE_ERROR_MAX];
    struct options o = { 0 };
    int option, r = 1;

    optind = 0;
    while (r > 0 &&
           (option = command_line_next(argc, argv, ":c:l:f:r:w:vhV", long_options, error)) >= 0) {
        if (option == '?')
            (void)fprintf(stderr, "answerd: %s\n", error);
        r = take_option(&o, option);
    }
    if (r > 0 && optind < argc) {
        (void)fprintf(stderr, "answerd: unexpected argument: %s. Try --help.\n", argv[optind]);
        r = -EINVAL;
    }
    if (r > 0 && o.verbose && !o.check) {
        (void)fputs("answerd: --verbose needs --check. Try --help.\n", stderr);
        r = -EINVAL;
    }
    if (r > 0)
        r = check_overrides(&o.overrides) ?: 1;
    if (r > 0)
        *ret = o;
    else
        options_free(&o);
    return r;
}
